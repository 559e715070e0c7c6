/**
 * Which iteration's agents are an experiment's, and do they answer by debate or by the vote over their first answers? Both are decided on
 * validation questions, which are neither trained on nor measured with in the end: the test set does not pay for the choice.
 */
import type { Accuracy } from './measures/answers.ts';
import type { PairedTest } from './measures/tests.ts';

/** By what a guard decides. */
export const guardMetrics = ['accuracy', 'agreement'] as const;
export type GuardMetric = (typeof guardMetrics)[number];

export type GuardSettings = {
  readonly metric: GuardMetric;
  /** A metric that is lower than the best by more than this is a drop; in the metric's unit, a share. */
  readonly maxDrop: number;
  /** So many drops in a row are a collapse. */
  readonly patience: number;
  /** After a collapse the experiment ends, or goes on from the best iteration. */
  readonly onCollapse: 'stop' | 'continue';
};

/** What the agents of an iteration do with the validation questions. */
export type GuardFigures = {
  /** 0 is the base model, or what a night began with. */
  readonly iteration: number;
  readonly questions: number;
  /** Of the debate's consensus. */
  readonly accuracy: Accuracy;
  /** Of the vote over the first answers. */
  readonly firstVote: Accuracy;
  /** The debate (wins: what it saved) against the vote over its own first answers (losses: what it spoilt). */
  readonly debateVersusFirstVote: PairedTest;
  /** The mean share of agents whose last answers are those of the largest group of equal ones. */
  readonly agreement: number;
  /** The mean entropy of the readable last answers to a question, in bits: 0 when all are equal. */
  readonly entropy: number;
  /** The share of answers, of all rounds, that could not be read. */
  readonly unreadable: number;
  /** The mean length of a response, in characters. */
  readonly length: number;
  /** The mean over the iteration's fine-tunes of how much likelier chosen answers became; null where none compares answers. */
  readonly chosenReward: number | null;
  /** Of the diversity measurement, on held-out questions: nats a token; null where it is not measured. */
  readonly ownNll: number | null;
  readonly klToBase: number | null;
};

/**
 * `best`: higher than all before. `held`: not higher, and not lower than the best by more than `maxDrop`. `dropped`: lower by more than that.
 * `collapsed`: the drop that used up the patience.
 */
export const guardOutcomes = ['best', 'held', 'dropped', 'collapsed'] as const;
export type GuardOutcome = (typeof guardOutcomes)[number];

export type GuardStep = {
  readonly iteration: number;
  /** The metric. */
  readonly value: number;
  readonly outcome: GuardOutcome;
  /** The iteration whose agents it began with; null for iteration 0. */
  readonly from: number | null;
};

/** What a guard has decided, iteration by iteration. */
export type GuardCourse = {
  /** The iteration whose agents are the experiment's. */
  readonly best: number;
  /** The iteration after which it ended the experiment; null when it did not. */
  readonly stopped: number | null;
  readonly steps: readonly GuardStep[];
};

/** A rounding error of a subtraction is no difference. */
const rounding = 1e-9;

/**
 * Judges the iterations in their order. The earliest of equal ones is the best. A drop counts from the best iteration, and drops in a row
 * from the last that was none; after a collapse the count begins again, and the best stays what it is compared with.
 *
 * @param figures of iteration 0 and each one after it
 */
export function guardCourse(figures: readonly GuardFigures[], settings: GuardSettings): GuardCourse {
  const { metric, maxDrop, patience, onCollapse } = settings;
  let best = { iteration: 0, value: -Infinity };
  let drops = 0;
  let from: number | null = null;
  const steps: GuardStep[] = [];
  for (const each of figures) {
    const value = valueOf(each, metric);
    const { iteration } = each;
    const fell = best.value - value > maxDrop + rounding;
    if (value > best.value + rounding) best = { iteration, value };
    drops = fell ? drops + 1 : 0;
    const collapsed = drops >= patience;
    const other = best.iteration === iteration ? 'best' : fell ? 'dropped' : 'held';
    steps.push({ iteration, value, outcome: collapsed ? 'collapsed' : other, from });
    if (collapsed && onCollapse === 'stop') return { best: best.iteration, stopped: iteration, steps };
    from = collapsed ? best.iteration : iteration;
    if (collapsed) drops = 0;
  }
  return { best: best.iteration, stopped: null, steps };
}

function valueOf({ accuracy, agreement }: GuardFigures, metric: GuardMetric): number {
  return metric === 'accuracy' ? accuracy.accuracy : agreement;
}

/** The iterations by which the agents of one were made, in their order, without iteration 0. */
export function lineageOf({ steps }: Pick<GuardCourse, 'steps'>, iteration: number): number[] {
  const lineage: number[] = [];
  for (let at: number | null = iteration; at !== null && at > 0;) {
    lineage.unshift(at);
    const step = steps.find((each) => each.iteration === at);
    at = step === undefined ? at - 1 : step.from;
  }
  return lineage;
}

/** The iterations whose training is no part of the experiment's agents. */
export function rolledBack(course: Pick<GuardCourse, 'best' | 'steps'>): number[] {
  const kept = new Set([0, ...lineageOf(course, course.best)]);
  return course.steps.map(({ iteration }) => iteration).filter((each) => !kept.has(each));
}

type Evaluated<Each> = {
  readonly evaluations: readonly Each[];
  readonly guard?: { readonly best: number; readonly rolledBack: readonly number[] };
};

/** The iteration whose agents are the experiment's: the last one, or the best by its guard. */
export function chosenIteration({ evaluations, guard }: Evaluated<{ readonly iteration: number }>): number {
  return guard?.best ?? evaluations.at(-1)?.iteration ?? 0;
}

/** Of iteration 0 and of those by which the experiment's agents were made: without what its guard has rolled back. */
export function standingEvaluations<Each extends { readonly iteration: number }>({
  evaluations,
  guard,
}: Evaluated<Each>): Each[] {
  return evaluations.filter(({ iteration }) => guard?.rolledBack.includes(iteration) !== true);
}

/** What a guard has decided so far, as a sentence about the newest iteration. */
export function guardSentence({ best, stopped, steps }: GuardCourse, settings: GuardSettings): string {
  const { metric, maxDrop } = settings;
  const last = steps.at(-1);
  const found = `by validation ${metric}, ${named(best)} is the best (${percent(valueAt(steps, best))})`;
  if (last === undefined || last.iteration === best) return `So far, ${found}.`;
  const below = `${named(last.iteration)} has ${percent(last.value)}`;
  const limit = `max_drop, ${points(maxDrop)}`;
  switch (last.outcome) {
    case 'best':
    case 'held':
      return `So far, ${found}; ${below}, which is within ${limit}.`;
    case 'dropped':
      return `So far, ${found}; ${below}: a drop of more than ${limit}. ${settings.patience} in a row are a collapse.`;
    case 'collapsed':
    default:
      last.outcome satisfies 'collapsed';
      return (
        `A collapse: ${found}; ${below}, a drop of more than ${limit}. The experiment ` +
        `${stopped === null ? 'goes on from' : 'has ended, with'} the agents of ${named(best)}.`
      );
  }
}

/** What a guard has decided in the end. */
export function guardVerdict(course: GuardCourse, { metric, maxDrop, onCollapse }: GuardSettings): string {
  const { best, steps } = course;
  const said = `The agents are those of ${named(best)}, the best by validation ${metric} (${percent(valueAt(steps, best))}).`;
  const collapses = steps
    .filter(({ outcome }) => outcome === 'collapsed')
    .map(({ iteration, value }) => `iteration ${iteration} (${percent(value)})`);
  const aside = rolledBack(course);
  return [
    said,
    ...(collapses.length === 0
      ? []
      : [
          `A drop of more than ${points(maxDrop)} (max_drop) was a collapse after ${collapses.join(' and ')}: the agents went back to the best iteration before it${onCollapse === 'stop' ? ', and the experiment ended' : ''}.`,
        ]),
    ...(aside.length === 0 ? [] : [`Rolled back: iteration ${aside.join(', ')}.`]),
  ].join(' ');
}

function valueAt(steps: readonly GuardStep[], iteration: number): number {
  return steps.find((each) => each.iteration === iteration)?.value ?? 0;
}

/** How an experiment answers, where `answer: auto` leaves that to its validation questions. */
export type AnswerChoice = {
  readonly by: 'debate' | 'first vote';
  /** On whose agents it was decided. */
  readonly iteration: number;
  readonly saved: number;
  readonly spoilt: number;
  readonly pValue: number;
  readonly said: string;
};

/**
 * The vote over the first answers, where the debate spoilt more validation questions than it saved. It is a plain count, and no test: of two
 * ways that may be equally good the vote is the one that costs less, and a test would keep a debate that does harm for lack of questions.
 */
export function answerChoice({ iteration, questions, debateVersusFirstVote }: GuardFigures): AnswerChoice {
  const { wins: saved, losses: spoilt, pValue } = debateVersusFirstVote;
  const by = spoilt > saved ? 'first vote' : 'debate';
  const counts = `on ${questions} validation questions the debate after ${named(iteration)} saved ${saved} that the vote over the first answers had wrong, and spoilt ${spoilt} (p = ${pValue.toPrecision(2)})`;
  const said =
    by === 'first vote'
      ? `Answers are the vote over the first answers, without debate: ${counts}.`
      : `Answers are those of the debate: ${counts}.`;
  return { by, iteration, saved, spoilt, pValue, said };
}

function named(iteration: number): string {
  return iteration === 0 ? 'iteration 0 (before training)' : `iteration ${iteration}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function points(share: number): string {
  return `${(share * 100).toFixed(1)} points`;
}
