/** How are questions debated, and how are the agents evaluated with them? Shards of questions, side by side. */
import type { ShardSummary } from '../activities/steps/debate.ts';
import type { Extent, Plan } from '../activities/steps/prepare.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { guardCourse } from '../algorithm/guard.ts';
import { addCutOff, addEarlyStop, noneCutOff, votesAtEqualTokens } from '../algorithm/measures/cost.ts';
import type { MeasuredSet, QuestionSet } from '../store/store.ts';
import type { RunControl } from './control.ts';
import type { ExperimentState, Phase } from './progress.ts';
import { steps } from './steps.ts';
import { inWindow } from './temporal.ts';

/** So many shards are pending at once, for the workers to share. Far below Temporal's limit of 2,000 pending activities. */
// mutation: window
const window = 64;

/** Debates every question of a split, a shard of questions for each activity. Returns the shards' counts, added up. */
export async function debateQuestions(
  { plan, iteration, agents }: ExperimentState,
  control: RunControl,
  split: QuestionSet,
  votes?: number,
): Promise<ShardSummary> {
  const { shards, questions } = extentOf(plan, split);
  control.enter(phaseOf(split), { unit: 'shards', total: shards, questions });
  const summaries = await inWindow(window, shards, async (shard) => {
    const { experiment, summariser } = plan;
    const input = {
      experiment,
      iteration,
      split,
      shard,
      agents,
      ...(summariser === undefined ? {} : { summariser }),
    };
    const summary = await control.step(
      steps.debate(votes === undefined ? input : { ...input, votes }, shards),
    );
    control.done();
    return summary;
  });
  return summaries.reduce(add);
}

function phaseOf(split: QuestionSet): Phase {
  if (split === 'distilled') return 'distilling';
  return split === 'train' || split === 'samples' ? 'debating' : 'evaluating';
}

function extentOf(plan: Plan, split: QuestionSet): Extent {
  if (split === 'train' || split === 'samples') return plan.train;
  if (split === 'heldout' || split === 'vote' || split === 'distilled') return plan.heldout;
  if (split === 'validation') return plan.validation ?? { questions: 0, shards: 0 };
  return plan.transfer.find(({ name }) => split === `transfer-${name}`) ?? { questions: 0, shards: 0 };
}

function add(a: ShardSummary, b: ShardSummary): ShardSummary {
  return {
    consensus: {
      questions: a.consensus.questions + b.consensus.questions,
      unanimous: a.consensus.unanimous + b.consensus.unanimous,
      ties: a.consensus.ties + b.consensus.ties,
      withoutLabel: a.consensus.withoutLabel + b.consensus.withoutLabel,
      unparsableAnswers: a.consensus.unparsableAnswers + b.consensus.unparsableAnswers,
      truncatedPrompts: a.consensus.truncatedPrompts + b.consensus.truncatedPrompts,
      // Absent in the results of steps that an older version has done.
      oneVote: (a.consensus.oneVote ?? 0) + (b.consensus.oneVote ?? 0),
      answers: (a.consensus.answers ?? 0) + (b.consensus.answers ?? 0),
    },
    tokens: {
      prompt: a.tokens.prompt + b.tokens.prompt,
      completion: a.tokens.completion + b.tokens.completion,
      firstRound: a.tokens.firstRound + b.tokens.firstRound,
    },
    cutOff: addCutOff(a.cutOff ?? noneCutOff, b.cutOff ?? noneCutOff),
    ...(a.earlyStop === undefined || b.earlyStop === undefined
      ? {}
      : { earlyStop: addEarlyStop(a.earlyStop, b.earlyStop) }),
  };
}

/**
 * Debates the training questions. With `samples`, each agent then gives so many more first answers to each of them, which only make pairs: the counts are
 * of the debates, and the tokens of both.
 */
export async function debateTraining(state: ExperimentState, control: RunControl): Promise<ShardSummary> {
  const debates = await debateQuestions(state, control, 'train');
  const { samples } = state.plan;
  if (samples === undefined) return debates;
  const { tokens } = await debateQuestions(state, control, 'samples', state.agents.length * (1 + samples));
  const { prompt, completion, firstRound } = debates.tokens;
  return {
    ...debates,
    tokens: { prompt: prompt + tokens.prompt, completion: completion + tokens.completion, firstRound },
  };
}

/**
 * Debates the held-out questions and compares the answers with the gold ones: a single answer, the majority, the debate. Beside a debate,
 * the majority of as many first answers as cost the same; and how diverse the agents are.
 */
export async function evaluateAgents(state: ExperimentState, control: RunControl): Promise<Evaluation> {
  const { evaluation, tokens } = await measure(state, control, 'heldout');
  const votes = state.plan.equalTokens ? votesAtEqualTokens(state.agents.length, tokens) : null;
  if (votes !== null) await measure(state, control, 'vote', votes);
  const { plan, iteration, agents } = state;
  if (plan.diversity)
    await control.step(
      steps.measureDiversity({
        experiment: plan.experiment,
        iteration,
        shards: plan.heldout.shards,
        agents,
      }),
    );
  return evaluation;
}

/** Zero-shot transfer (section 4 of the paper): the agents answer the held-out questions of other tasks than they learnt from. */
export async function transferAgents(state: ExperimentState, control: RunControl): Promise<void> {
  for (const { name } of state.plan.transfer) await measure(state, control, `transfer-${name}`);
}

/**
 * Has the agents of an iteration debate the validation questions, and lets the guard judge them: after a collapse the agents are those of
 * the best iteration again. Without validation questions nothing happens.
 *
 * @param state with the iteration's new agents
 * @returns what the validation changes in it
 */
export async function validateAgents(state: ExperimentState, control: RunControl): Promise<Validated> {
  const { plan, iteration, agents } = state;
  if (plan.validation === undefined) return { agents };
  const { figures } = await measure(state, control, 'validation');
  if (figures === undefined) throw new RangeError(`Iteration ${iteration} was not validated.`);
  const validations = [...(state.validations ?? []), figures];
  if (plan.guard === undefined) return { agents, validations };
  const course = guardCourse(validations, plan.guard);
  const best = course.best === iteration ? { iteration, agents } : (state.best ?? { iteration: 0, agents });
  return {
    validations,
    best,
    agents: course.steps.at(-1)?.outcome === 'collapsed' ? best.agents : agents,
    ...(course.stopped === null ? {} : { stopped: true }),
  };
}

type Validated = Pick<ExperimentState, 'agents' | 'validations' | 'best' | 'stopped'>;

/** Asks the held-out questions of a set, and compares the answers with the gold ones. */
export async function measure(
  state: ExperimentState,
  control: RunControl,
  split: MeasuredSet,
  votes?: number,
) {
  const { plan, iteration } = state;
  const began = Date.now();
  const { tokens, earlyStop } = await debateQuestions(state, control, split, votes);
  const { warnings, figures, ...evaluation } = await control.step(
    steps.evaluate({
      experiment: plan.experiment,
      iteration,
      split,
      ...(votes === undefined ? {} : { votes }),
      tokens: { prompt: tokens.prompt, completion: tokens.completion },
      seconds: (Date.now() - began) / 1000,
      ...(earlyStop === undefined || split !== 'heldout' ? {} : { earlyStop }),
    }),
  );
  if (split === 'heldout') control.warned(warnings);
  return { evaluation, figures, tokens };
}
