/** Who is compared with whom in a study, by which scores, and how do two of them differ? */
import { setImmediate as otherWork } from 'node:timers/promises';
import { type Accuracy, ratioOverQuestions } from '../../algorithm/measures/answers.ts';
import { type Method, methodNames, methods } from '../../algorithm/methods.ts';
import type { StudyCell } from '../../config/study.ts';
import type { MeasuredExperiment, Scores, SeedScore } from '../read/measured-experiment.ts';
import { comparePaired, type PairedDifference, type ScorePair } from '../../algorithm/measures/comparison.ts';
import { holm } from '../../algorithm/measures/tests.ts';

/** A row of a study: a method's name, or the name of a variant. */
export type RowName = string;

/** The row that an experiment belongs to. */
export function rowOf({ method, variant = method }: Pick<StudyCell, 'method' | 'variant'>): RowName {
  return variant;
}

/**
 * A row; `majority-at-equal-tokens`, the majority of the base model that is measured with the debate; or a vote of a row's trained agents instead
 * of their own way of answering: `ROW:first-vote`, over their first answers, or `ROW:equal-tokens`, over as many first answers as cost the tokens
 * of their debate.
 */
export type ContenderKey = string;

/** A row of a study in a table: its own figure, then the votes of its agents. */
export function withVotes(row: RowName): readonly ContenderKey[] {
  return [row, `${row}:first-vote`, `${row}:equal-tokens`];
}

/** What is compared in a setting: the scores of a method after each iteration, its seeds pooled. */
export type ScoredContender = {
  readonly key: ContenderKey;
  readonly title: string;
  /** Whether iterations change it; a contender that learns nothing has iteration 0 alone. */
  readonly learns: boolean;
  /** The row whose trained agents vote; null for a method's own way of answering. */
  readonly votesOf: RowName | null;
  readonly seeds: readonly number[];
  /** By iteration, as far as all seeds have got. */
  readonly scores: readonly Scores[];
};

/** All contenders of a setting: the methods in the order of the paper's tables, then the variants in the study's order. */
export function contenders(experiments: readonly MeasuredExperiment[]): ScoredContender[] {
  const variants = new Set(experiments.flatMap(({ variant }) => variant ?? []));
  return [...methodNames, ...variants].flatMap((row) => {
    const own = experiments.filter((each) => rowOf(each) === row);
    const [first] = own;
    if (first === undefined) return [];
    const votes = row === 'debate' ? majorityAtEqualTokens(own) : [];
    const { title, ...method } = methods[first.method];
    const titled = { ...method, row, title: first.variant === undefined ? title : `${title} (${row})` };
    return [...votes, contender(titled, own), ...votesOfTrained(titled, own)];
  });
}

/** How many iterations all seeds of a method have, with the base model's. */
export function commonIterations(experiments: readonly MeasuredExperiment[]): number {
  return Math.min(...experiments.map(({ iterations }) => iterations.length));
}

type TitledRow = Pick<Method, 'title' | 'learning' | 'answer'> & { readonly row: RowName };

function contender(
  { row, title, learning }: TitledRow,
  experiments: readonly MeasuredExperiment[],
): ScoredContender {
  const learns = learning !== undefined;
  const common = learns ? commonIterations(experiments) : 1;
  return {
    key: row,
    title,
    learns,
    votesOf: null,
    seeds: experiments.map(({ seed }) => seed),
    scores: Array.from({ length: common }, (_, iteration) =>
      pooled(experiments.map(({ iterations }) => iterations[iteration]?.scores)),
    ),
  };
}

function majorityAtEqualTokens(debates: readonly MeasuredExperiment[]): ScoredContender[] {
  const beside = debates.filter(({ iterations }) => (iterations[0]?.votes ?? null) !== null);
  if (beside.length === 0) return [];
  const counts = new Set(beside.map(({ iterations }) => iterations[0]?.votes?.count ?? 0));
  return [
    {
      key: 'majority-at-equal-tokens',
      title: `Majority at equal tokens (of ${range([...counts])})`,
      learns: false,
      votesOf: null,
      seeds: beside.map(({ seed }) => seed),
      scores: [pooled(beside.map(({ iterations }) => iterations[0]?.votes?.scores))],
    },
  ];
}

/** How trained agents vote on their first answers, after each iteration. None for a method that learns nothing. */
function votesOfTrained(
  { row, title, learning, answer }: TitledRow,
  experiments: readonly MeasuredExperiment[],
): ScoredContender[] {
  if (learning === undefined) return [];
  const iterations = Array.from({ length: commonIterations(experiments) }, (_, iteration) =>
    experiments.flatMap((each) => each.iterations[iteration] ?? []),
  );
  const common = { learns: true, votesOf: row, seeds: experiments.map(({ seed }) => seed) };
  const counts = iterations.slice(1).flatMap((seeds) => seeds.flatMap(({ votes }) => votes?.count ?? []));
  return [
    // A method that answers by majority has this figure already.
    ...(answer === 'majority'
      ? []
      : [
          {
            ...common,
            key: `${row}:first-vote` as const,
            title: `${title}: vote over first answers`,
            scores: iterations.map((seeds) => pooled(seeds.map(({ firstVote }) => firstVote))),
          },
        ]),
    ...(counts.length === 0
      ? []
      : [
          {
            ...common,
            key: `${row}:equal-tokens` as const,
            title: `${title}: majority at equal tokens (of ${range(counts)})`,
            scores: iterations.map((seeds) => pooled(seeds.map(({ votes }) => votes?.scores))),
          },
        ]),
  ];
}

/** The scores of several seeds together. Units do not collide: each names its seed. */
export function pooled(scores: readonly (Scores | undefined)[]): Scores {
  return new Map(scores.flatMap((each) => [...(each ?? [])]));
}

/** An accuracy with the size of its sample. */
export type MeasuredAccuracy = Accuracy & {
  /** How many different questions were asked: with several seeds that share questions, fewer than `units`. */
  readonly questions: number;
  /** How often questions were asked: once for each seed. */
  readonly units: number;
};

/** The mean score of all units. The question is the unit of sampling, with all of its seeds. */
export function meanAccuracy(scores: Iterable<SeedScore>): MeasuredAccuracy {
  const ratio = ratioOverQuestions();
  let units = 0;
  for (const { question, right, of } of scores) {
    ratio.add(question, right / of, 1);
    units += 1;
  }
  const { value = NaN, standardError = NaN, questions = 0 } = ratio.result() ?? {};
  return { accuracy: value, standardError, questions, units };
}

/** `15`, or `14 to 16`. */
export function range(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? String(least) : `${least} to ${most}`;
}

/** A contender's accuracy after an iteration. */
export type CurvePoint = MeasuredAccuracy & {
  readonly iteration: number;
  readonly bySeed: readonly { readonly seed: number; readonly accuracy: number }[];
  /** The standard deviation of the seeds' accuracies; null with one seed. */
  readonly seedSpread: number | null;
};

/** Accuracy by iteration, 0 the base model. The standard error is over questions; how much seeds differ is the spread. */
export function curve({ scores, seeds }: Pick<ScoredContender, 'scores' | 'seeds'>): CurvePoint[] {
  return scores.map((ofIteration, iteration) => {
    const bySeed = seeds.map((seed) => ({
      seed,
      accuracy: meanAccuracy(ofSeed(ofIteration, seed)).accuracy,
    }));
    return {
      iteration,
      ...meanAccuracy(ofIteration.values()),
      bySeed,
      seedSpread: standardDeviation(bySeed.map((each) => each.accuracy)),
    };
  });
}

function ofSeed(scores: Scores, seed: number): SeedScore[] {
  return [...scores.values()].filter((each) => each.seed === seed);
}

/** Of a sample, over n - 1. */
function standardDeviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/**
 * How much one set of scores is above another on the units that both have: positive when the first is better. A unit is a question of one
 * seed; the same question of several seeds is one question for intervals and tests. Null when no unit is in both.
 */
export function compare(first: Scores, second: Scores): PairedDifference | null {
  const pairs = [...first].flatMap(([unit, own]): ScorePair[] => {
    const other = second.get(unit);
    return other === undefined ? [] : [{ question: own.question, first: own, second: other }];
  });
  return comparePaired(pairs);
}

/** When contenders are compared: after one iteration, as in the paper, or after the last that both have. */
export type Moment = 'first' | 'last';

/** The study's reference method against another contender in the same setting. */
export type ContenderComparison = PairedDifference & {
  readonly setting: string;
  readonly moment: Moment;
  readonly reference: ContenderKey;
  readonly other: ContenderKey;
  /** After which iteration each is compared; 0 for a contender that learns nothing. */
  readonly iterations: { readonly reference: number; readonly other: number };
  /** Holm's adjusted p-value, over all comparisons of this moment in all settings. */
  readonly adjusted: number;
};
type Uncorrected = Omit<ContenderComparison, 'adjusted'>;

/**
 * Compares the reference with each other method of a setting (votes of trained agents stand beside their own debates), at both moments, or at the first alone where the two are the same.
 * Yields to other work of this process between comparisons, so that heartbeats go out.
 */
export async function compareAll(
  setting: string,
  all: readonly ScoredContender[],
  reference: ContenderKey,
): Promise<Uncorrected[]> {
  const own = all.find(({ key }) => key === reference);
  if (own === undefined) return [];
  const found: Uncorrected[] = [];
  for (const other of all) {
    if (other.key === reference || other.votesOf !== null) continue;
    for (const { moment, iterations } of moments(own, other)) {
      await otherWork();
      const scores = { own: own.scores[iterations.reference], other: other.scores[iterations.other] };
      if (scores.own === undefined || scores.other === undefined) continue;
      const difference = compare(scores.own, scores.other);
      if (difference !== null)
        found.push({ setting, moment, reference, other: other.key, iterations, ...difference });
    }
  }
  return found;
}

/**
 * Compares variants, and the methods that they are variants of, each with each. Nothing for a study with fewer than two variants: the
 * comparisons with its reference are all then.
 */
export async function compareVariants(
  setting: string,
  all: readonly ScoredContender[],
  experiments: readonly Pick<StudyCell, 'method' | 'variant'>[],
): Promise<Uncorrected[]> {
  const variants = experiments.filter(({ variant }) => variant !== undefined);
  const rows = new Set(variants.flatMap(({ method, variant }) => [method, variant]));
  const compared = all.filter(({ key }) => rows.has(key));
  if (new Set(variants.map(rowOf)).size < 2) return [];
  const found: Uncorrected[] = [];
  for (const [place, first] of compared.entries())
    found.push(...(await compareAll(setting, compared.slice(place), first.key)));
  return found;
}

/** Corrects the p-values of each moment, which is a table of its own. */
export function withHolm(comparisons: readonly Uncorrected[]): ContenderComparison[] {
  return (['first', 'last'] as const).flatMap((moment) => {
    const table = comparisons.filter((each) => each.moment === moment);
    const adjusted = holm(table.map(({ pValue }) => pValue));
    return table.map((each, index) => ({ ...each, adjusted: adjusted[index] ?? 1 }));
  });
}

function moments(own: ScoredContender, other: ScoredContender) {
  const last = Math.min(
    ...[own, other].filter(({ learns }) => learns).map(({ scores }) => scores.length - 1),
  );
  const at = (iteration: number) => ({
    reference: own.learns ? iteration : 0,
    other: other.learns ? iteration : 0,
  });
  if (!own.learns && !other.learns) return [{ moment: 'first' as const, iterations: at(0) }];
  const first = { moment: 'first' as const, iterations: at(Math.min(1, last)) };
  return last > 1 ? [first, { moment: 'last' as const, iterations: at(last) }] : [first];
}
