/**
 * Which figures of an experiment can be followed, over its iterations and over the optimiser steps of its fine-tunes? The lines of
 * metrics.jsonl. They are made from the experiment's records alone: made again they are the same, and no line can be there twice.
 */
import type { z } from 'zod';
import { distilledModel } from '../algorithm/agents.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import { guardCourse, type GuardSettings } from '../algorithm/guard.ts';
import { type Accuracy, accuracyInterval } from '../algorithm/measures/answers.ts';
import { labelQuality, purityOf } from '../algorithm/measures/labels.ts';
import type { ConfigChange } from '../store/records/config-changes.ts';
import type { DistilledRecord, StepLoss } from '../store/records/iteration.ts';
import type { NightOutcome } from '../store/records/result.ts';
import type {
  DiversityDocument,
  evaluationRecordSchema,
  IterationRecord,
  LabelsDocument,
} from '../store/records/rows.ts';
import { modelName } from '../store/store.ts';

/** One step of one of the experiment's curves, with all that is known of it: written once, it never changes. */
export type MetricsLine = {
  readonly v: 1;
  /** Its name within the experiment, e.g. `iteration-2/evaluation`. */
  readonly key: string;
  /** The iteration, 0 the base model; for a loss, the optimiser step, counted on over the iterations. */
  readonly step: number;
  /** How long the experiment had worked by then, by its records. */
  readonly seconds: number;
  readonly metrics: Readonly<Record<string, number>>;
};

export type EvaluationRecord = z.infer<typeof evaluationRecordSchema>;
type FineTuneRecord = IterationRecord['fineTunes'][number];

/** What is known of an iteration so far. */
export type IterationRecords = {
  readonly iteration: number;
  readonly record: IterationRecord | null;
  readonly evaluation: EvaluationRecord | null;
  /** Of further sets of questions: `vote`, `validation`, `distilled`, `transfer-NAME`. */
  readonly others: ReadonlyMap<string, EvaluationRecord>;
  readonly distilled: DistilledRecord | null;
  readonly diversity: DiversityDocument | null;
  readonly labels: LabelsDocument | null;
  /** By the name of the model: the losses as its worker saw them while it was trained. */
  readonly trainingLogs: ReadonlyMap<string, readonly StepLoss[]>;
};

export type MetricsSource = {
  readonly iterations: readonly IterationRecords[];
  readonly guard: GuardSettings | undefined;
  readonly changes: readonly ConfigChange[];
  readonly night: NightOutcome | null;
};

/** The lines in the order of the work. */
export function metricsLines({ iterations, guard, changes, night }: MetricsSource): MetricsLine[] {
  const lines: MetricsLine[] = [];
  const trainedBefore = new Map<string, number>();
  const beganAfter = new Map<number, number>();
  const add = (key: string, step: number, seconds: number, metrics: Figures): void => {
    const known = Object.entries(metrics).filter((each): each is [string, number] =>
      Number.isFinite(each[1]),
    );
    if (known.length > 0) lines.push({ v: 1, key, step, seconds, metrics: Object.fromEntries(known) });
  };
  const figures = iterations.flatMap(({ others }) => others.get('validation')?.figures ?? []);
  const course = guard === undefined ? undefined : guardCourse(figures, guard);
  let seconds = 0;
  for (const each of iterations) {
    const { iteration, record, evaluation, distilled, others } = each;
    const part = (name: string): string => `iteration-${iteration}/${name}`;
    beganAfter.set(iteration, seconds);
    for (const [model, losses] of lossesOf(each)) {
      const before = trainedBefore.get(model) ?? 0;
      for (const { step, loss } of losses)
        add(part(`loss/${model}/${step}`), before + step, seconds, { [`loss/${model}`]: loss });
    }
    // Those of a model that was distilled in an iteration are no beginning for the next one.
    for (const tune of record?.fineTunes ?? []) {
      const model = modelName(tune.agent, tune.role);
      trainedBefore.set(model, (trainedBefore.get(model) ?? 0) + tune.steps);
    }
    if (record !== null) {
      const { debate, datasets, fineTune } = record.seconds;
      seconds += debate + datasets + fineTune;
      add(part('training'), iteration, seconds, trainingFigures(record));
    }
    // All others are written after the held-out evaluation, or with it.
    if (evaluation === null) continue;
    seconds += evaluation.seconds;
    add(part('evaluation'), iteration, seconds, {
      ...accuracies(evaluation.evaluation),
      ...evaluationFigures(evaluation),
      'seconds/total': seconds,
    });
    if (each.labels !== null) add(part('labels'), iteration, seconds, labelFigures(each.labels));
    if (each.diversity !== null) add(part('diversity'), iteration, seconds, diversityFigures(each.diversity));
    for (const [set, other] of others)
      add(part(set), iteration, seconds, {
        ...otherFigures(set, other),
        ...(set === 'validation' && course !== undefined ? guardFigures(course.steps, iteration) : {}),
      });
    if (distilled !== null) {
      const { fineTune, dataset } = distilled;
      add(part('distilled-training'), iteration, seconds, {
        ...fineTuneFigures(distilledModel, fineTune),
        [`rows/${distilledModel}`]: dataset.rows,
      });
    }
  }
  for (const [index, { path, after, fromIteration }] of changes.entries()) {
    const at = beganAfter.get(fromIteration);
    if (at !== undefined && typeof after === 'number')
      add(`change-${index + 1}`, fromIteration, at, { [`setting/${path}`]: after });
  }
  const last = iterations.at(-1)?.iteration ?? 0;
  if (night !== null)
    add('night', last, seconds, {
      'night/sequence': night.sequence,
      'night/accepted': Number(night.outcome === 'accepted'),
    });
  return lines;
}

type Figures = Readonly<Record<string, number | null | undefined>>;

/** By model: the losses of the worker's log, and those of the record at steps that the log lacks. */
function lossesOf({ record, distilled, trainingLogs }: IterationRecords): Map<string, StepLoss[]> {
  const recorded = new Map(
    [...(record?.fineTunes ?? []), ...(distilled === null ? [] : [distilled.fineTune])].map(
      ({ agent, role, losses }) => [modelName(agent, role), losses] as const,
    ),
  );
  const models = [...new Set([...recorded.keys(), ...trainingLogs.keys()])].toSorted();
  return new Map(
    models.map((model) => {
      const bySteps = new Map<number, StepLoss>();
      for (const row of [...(trainingLogs.get(model) ?? []), ...(recorded.get(model) ?? [])])
        if (!bySteps.has(row.step)) bySteps.set(row.step, row);
      return [model, [...bySteps.values()].toSorted((a, b) => a.step - b.step)] as const;
    }),
  );
}

function accuracies({ questions, ...evaluation }: Evaluation): Figures {
  const ways = ['debate', 'majority', 'single'] as const;
  return Object.assign({}, ...ways.map((way) => interval(`accuracy/${way}`, evaluation[way], questions)));
}

/** An accuracy and the ends of its 95 % interval. */
function interval(name: string, accuracy: Accuracy, questions: number): Figures {
  const { low, high } = accuracyInterval(accuracy, questions);
  return { [name]: accuracy.accuracy, [`${name}_low`]: low, [`${name}_high`]: high };
}

function evaluationFigures({
  evaluation,
  unreadable,
  tokens,
  seconds,
  earlyStop,
}: EvaluationRecord): Figures {
  const { debateVersusBase, cutOff } = evaluation;
  return {
    'versus_base/saved': debateVersusBase.wins,
    'versus_base/spoilt': debateVersusBase.losses,
    'versus_base/p_value': debateVersusBase.pValue,
    'cut_off/heldout': cutOff.responses.share,
    'unreadable/heldout': unreadable && unreadable.answers / unreadable.of,
    'early_stop/heldout': earlyStop && earlyStop.stopped / earlyStop.debates,
    'tokens/heldout_prompt': tokens.prompt,
    'tokens/heldout_completion': tokens.completion,
    'seconds/evaluation': seconds,
  };
}

/** Of an evaluation that is not the debates on the held-out questions. */
function otherFigures(
  set: string,
  { evaluation, votes, figures, tokens, seconds }: EvaluationRecord,
): Figures {
  const { questions, debate, majority, single } = evaluation;
  if (set === 'vote')
    return { ...interval('accuracy/equal_tokens', majority, questions), 'equal_tokens/votes': votes };
  if (set === 'distilled') return interval('accuracy/distilled', single, questions);
  if (set !== 'validation')
    return interval(`accuracy/${set.replace('transfer-', 'transfer/')}`, debate, questions);
  return {
    ...interval('validation/debate', debate, questions),
    ...interval('validation/majority', majority, questions),
    'validation/agreement': figures?.agreement,
    'validation/entropy': figures?.entropy,
    'validation/unreadable': figures?.unreadable,
    'validation/length': figures?.length,
    'tokens/validation_prompt': tokens.prompt,
    'tokens/validation_completion': tokens.completion,
    'seconds/validation': seconds,
  };
}

/** What the guard had decided when an iteration was over; whether it is rolled back may follow later. */
function guardFigures(steps: ReturnType<typeof guardCourse>['steps'], iteration: number): Figures {
  const until = steps.filter((step) => step.iteration <= iteration);
  const own = until.find((step) => step.iteration === iteration);
  if (own === undefined) return {};
  return {
    'guard/best_iteration': until.findLast(({ outcome }) => outcome === 'best')?.iteration ?? 0,
    'guard/dropped': Number(own.outcome === 'dropped' || own.outcome === 'collapsed'),
    'guard/collapsed': Number(own.outcome === 'collapsed'),
  };
}

function trainingFigures({
  consensus,
  cutOff,
  datasets,
  fineTunes,
  tokens,
  seconds,
}: IterationRecord): Figures {
  const { questions } = consensus;
  return {
    'consensus/unanimous': consensus.unanimous / questions,
    'consensus/ties': consensus.ties / questions,
    'consensus/without_label': consensus.withoutLabel / questions,
    'consensus/one_vote': consensus.oneVote && consensus.oneVote / questions,
    'unreadable/train': consensus.answers && consensus.unparsableAnswers / consensus.answers,
    'cut_off/train': cutOff.responses.share,
    ...Object.fromEntries(
      datasets.map(({ agents, role, rows }) => [`rows/${modelName(agents[0] ?? 0, role)}`, rows]),
    ),
    ...Object.assign({}, ...fineTunes.map((tune) => fineTuneFigures(modelName(tune.agent, tune.role), tune))),
    'tokens/train_prompt': tokens.debate.prompt,
    'tokens/train_completion': tokens.debate.completion,
    'tokens/fine_tune': tokens.fineTune,
    'seconds/debate': seconds.debate,
    'seconds/datasets': seconds.datasets,
    'seconds/fine_tune': seconds.fineTune,
  };
}

function fineTuneFigures(
  model: string,
  { finalLoss, moved, rewards, peakLearningRate }: FineTuneRecord,
): Figures {
  return {
    [`final_loss/${model}`]: finalLoss,
    [`moved/${model}`]: moved?.klPerToken,
    [`learning_rate/${model}`]: peakLearningRate,
    [`reward_margin/${model}`]: rewards && rewards.chosen - rewards.rejected,
    [`reward_chosen/${model}`]: rewards?.chosen,
  };
}

function labelFigures({ rows, minVotes, maxVotes }: LabelsDocument): Figures {
  const { precision, chosenRight, rejectedWrong } = labelQuality(rows, { minVotes, maxVotes });
  const purity = purityOf(rows);
  return {
    'labels/right': precision?.value,
    'labels/chosen_right': chosenRight?.value,
    'labels/rejected_wrong': rejectedWrong?.value,
    'labels/purity': purity?.all.right?.value,
    ...Object.fromEntries(
      purity?.byRole.map(({ role, right }) => [`labels/purity_${role}`, right?.value]) ?? [],
    ),
  };
}

function diversityFigures(measured: DiversityDocument): Figures {
  return {
    'diversity/nll_of_others': measured.nllOfOthers?.value,
    'diversity/nll_of_own': measured.nllOfOwn?.value,
    'diversity/kl_between_agents': measured.betweenAgents.perToken?.value,
    'diversity/kl_from_base': measured.fromBase.perToken?.value,
    'diversity/dissimilarity': measured.dissimilarity?.value,
    'diversity/distinct_answers': measured.distinctAnswers?.value,
  };
}
