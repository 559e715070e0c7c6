/**
 * Every step of a workflow in one table: the activity that does it, its id on the server, its summary in the Temporal UI, and what it is
 * called when a person reads that it waits. Activity ids are made only here, and never parsed.
 */
import type { Attempted, Charge } from '../activities/activity.ts';
import type { DebateShard } from '../activities/asking/conversation.ts';
import type { Origin, QuestionSet } from '../store/store.ts';
import { activities } from './temporal.ts';
import { budgetStep, type StepName } from './progress.ts';

/** A step that is ready to be begun. */
export type Step<Output> = StepName & {
  /**
   * @param begunIn where the experiment was begun, once that is known; a worker with another store refuses the step
   * @param charge where the experiment has a budget
   */
  readonly begin: (begunIn?: Origin, charge?: Charge) => Promise<Attempted<Output>>;
  /** Only of a step that asks or trains models: how many tokens its output says that it took. A budget holds such steps back, and no others. */
  readonly tokens?: (output: Output) => number;
};

/** What the activity is given; the steps below take the same object. */
type Input<Name extends keyof typeof activities> = Parameters<(typeof activities)[Name]>[0];

export const steps = {
  prepare: (input: Input<'prepare'>) =>
    step(activities.prepare, input, {
      id: 'prepare',
      summary: 'resolve and check the config',
      words: 'the preparation',
    }),

  adoptEvaluation: (input: Input<'adoptEvaluation'>) =>
    step(activities.adoptEvaluation, input, {
      id: 'adopt-evaluation',
      summary: `held-out debates of ${input.from.experiment}`,
      words: `the copying of the held-out debates of ${input.from.experiment}`,
    }),

  /** @param shards how many there are */
  debate: (input: DebateShard, shards: number) =>
    step(
      activities.debate,
      input,
      {
        id: `debate-i${input.iteration}-${input.split}-s${String(input.shard).padStart(3, '0')}`,
        summary: `${shortQuestions(input.split)}, shard ${input.shard + 1} of ${shards}`,
        words: `the debates of shard ${input.shard + 1} of the ${questions(input.split)}, ${iterationText(input)}`,
      },
      ({ tokens }) => tokens.prompt + tokens.completion,
    ),

  evaluate: (input: Input<'evaluate'>) =>
    step(activities.evaluate, input, {
      id: `evaluate-i${input.iteration}${input.split === 'heldout' ? '' : `-${input.split}`}`,
      summary: 'compare with the gold answers',
      words: `the comparison with the gold answers${
        input.split === 'heldout' ? '' : ` of the ${questions(input.split)}`
      }, ${iterationText(input)}`,
    }),

  measureDiversity: (input: Input<'measureDiversity'>) =>
    step(
      activities.measureDiversity,
      input,
      {
        id: `diversity-i${input.iteration}`,
        summary: 'how diverse the agents are',
        words: `the measurement of how diverse the agents are, ${iterationText(input)}`,
      },
      () => 0,
    ),

  buildDatasets: (input: Input<'buildDatasets'>) =>
    step(activities.buildDatasets, input, {
      id: `datasets-i${input.iteration}-agent${input.agents[0]}`,
      summary: `datasets of ${agentsText(input.agents)}`,
      words: `the building of the datasets, ${iterationText(input)}`,
    }),

  /** @param sharers the agents that have this model in common */
  fineTune: (input: Input<'fineTune'>, sharers: readonly number[]) =>
    step(
      activities.fineTune,
      input,
      {
        id: `finetune-i${input.iteration}-agent${input.agent}-${input.role}`,
        summary: `${input.role} model of ${agentsText(sharers)}, on ${input.dataset.rows} dialogues`,
        words: `the fine-tune of agent ${input.agent}'s ${input.role} model, ${iterationText(input)}`,
      },
      ({ tokens }) => tokens,
    ),

  buildDistilled: (input: Input<'buildDistilled'>) =>
    step(activities.buildDistilled, input, {
      id: `datasets-i${input.iteration}-distilled`,
      summary: 'dataset of the one model',
      words: `the building of the distilled model's dataset, ${iterationText(input)}`,
    }),

  /** The fine-tune of the one model that the group is distilled into. */
  distill: (input: Input<'fineTune'>) =>
    step(
      activities.fineTune,
      input,
      {
        id: `finetune-i${input.iteration}-distilled`,
        summary: `one model, on ${input.dataset.rows} answers of the group`,
        words: `the fine-tune of the distilled model, ${iterationText(input)}`,
      },
      ({ tokens }) => tokens,
    ),

  recordDistilled: (input: Input<'recordDistilled'>) =>
    step(activities.recordDistilled, input, {
      id: `record-i${input.iteration}-distilled`,
      summary: 'size, tokens, seconds of the one model',
      words: `the record of the distilled model, ${iterationText(input)}`,
    }),

  remakeModel: (input: Input<'remakeModel'>) =>
    step(
      activities.remakeModel,
      input,
      {
        id: `remake-${input.key.slice(0, 16)}`,
        summary: 'make a damaged model again',
        words: 'the fine-tune of a damaged model, which is made again',
      },
      () => 0,
    ),

  recordIteration: (input: Input<'recordIteration'>) =>
    step(activities.recordIteration, input, {
      id: `record-i${input.iteration}`,
      summary: 'sizes, tokens, seconds',
      words: `the record of what was done, ${iterationText(input)}`,
    }),

  writeResult: (input: Input<'writeResult'>) =>
    step(activities.writeResult, input, {
      id: 'result',
      summary: 'result.json and report.html',
      words: 'the writing of the result and the report',
    }),

  /** @param number how many changes of this run came before it, and 1 */
  changeConfig: (input: Input<'changeConfig'>, number: number) =>
    step(activities.changeConfig, input, {
      id: `change-${number}`,
      summary: 'change settings',
      words: 'the change of settings',
    }),

  pruneModels: (input: Input<'pruneModels'>) =>
    step(activities.pruneModels, input, {
      id: `prune-i${input.iteration}`,
      summary: 'remove the models of the iteration before',
      words: `the removal of the models of the iteration before, ${iterationText(input)}`,
    }),

  closeNight: (input: Input<'closeNight'>) =>
    step(activities.closeNight, input, {
      id: 'close-night',
      summary: 'carry the night on, or say why not',
      words: 'the decision whether the night is carried on',
    }),

  prepareStudy: (input: Input<'prepareStudy'>) =>
    step(activities.prepareStudy, input, {
      id: 'prepare',
      summary: 'resolve and check all experiments',
      words: 'the preparation of the study',
    }),

  studyCells: (input: Input<'studyCells'>) =>
    step(activities.studyCells, input, {
      id: `cells-${input.from}`,
      summary: 'which experiments are finished',
      words: 'the list of the experiments of the study',
    }),

  /** @param times how often it was asked before: the activity's id is unique within a run */
  watchStudy: (input: Input<'watchStudy'>, times: number) =>
    step(activities.watchStudy, input, {
      id: `watch-budget-${times}`,
      summary: 'what the experiments have used together',
      words: 'the look at what the experiments have used together',
    }),

  writeStudy: (input: Input<'writeStudy'>) =>
    step(activities.writeStudy, input, {
      id: 'report',
      summary: 'tables and report.html',
      words: 'the writing of the tables and the report',
    }),
} as const;

/** The name under which a run waits when its budget is used up. It is no activity's. */
export const budgetUsedUp: StepName = { id: budgetStep, words: 'all that would ask or train a model' };

/** The name under which a run waits when an artifact stays damaged after it was made again. It is no activity's. */
export const damagedArtifacts: StepName = { id: 'damaged artifacts', words: 'the use of damaged artifacts' };

type Activity<Given, Output> = {
  readonly executeWithOptions: (
    options: { activityId: string; summary: string },
    args: [Given, Origin?, Charge?],
  ) => Promise<Attempted<Output>>;
};

function step<Given, Output>(
  activity: Activity<Given, Output>,
  input: Given,
  { id, summary, words }: StepName & { readonly summary: string },
  tokens?: (output: Output) => number,
): Step<Output> {
  return {
    id,
    words,
    ...(tokens === undefined ? {} : { tokens }),
    begin: (begunIn, charge) =>
      activity.executeWithOptions(
        { activityId: id, summary },
        begunIn === undefined ? [input] : charge === undefined ? [input, begunIn] : [input, begunIn, charge],
      ),
  };
}

/** Which agents, for people to read. */
function agentsText(agents: readonly number[]): string {
  return agents.length === 1 ? `agent ${agents.join()}` : `agents ${agents.join(', ')}`;
}

function iterationText({ iteration }: { readonly iteration: number }): string {
  return iteration === 0 ? 'base model' : `iteration ${iteration}`;
}

function questions(set: QuestionSet): string {
  if (set === 'train') return 'training questions';
  if (set === 'samples') return 'training questions (more first answers)';
  if (set === 'heldout') return 'held-out questions';
  if (set === 'vote') return 'held-out questions (more first answers)';
  if (set === 'distilled') return 'held-out questions (the distilled model)';
  if (set === 'validation') return 'validation questions';
  return `questions of ${set.slice('transfer-'.length)}`;
}

function shortQuestions(set: QuestionSet): string {
  if (set === 'samples') return 'more first answers to training questions';
  return set === 'vote' ? 'more first answers to held-out questions' : questions(set);
}
