import type { Accuracy } from '../../algorithm/measures/answers.ts';
import { ratioOverQuestions } from '../../algorithm/measures/ratio.ts';
import { type MethodName, methodNames, methods } from '../../algorithm/methods.ts';
import type { MeasuredExperiment, Scores, SeedScore } from '../read/measured-experiment.ts';

/**
 * A method; the majority at equal tokens of the base model, which is measured with the debate; or a vote of a method's trained agents instead
 * of their own way of answering.
 */
export type ContenderKey = MethodName | 'majority-at-equal-tokens' | VoteKey;

/** The vote over the first answers of a method's agents, and that over as many first answers as cost the tokens of their debate. */
export type VoteKey = `${MethodName}:${'first-vote' | 'equal-tokens'}`;

/** The rows of a method in a table: its own figure, then the votes of its agents. */
export function rowsOfMethod(method: MethodName): readonly ContenderKey[] {
  return [method, `${method}:first-vote`, `${method}:equal-tokens`];
}

/** What is compared in a setting: the scores of a method after each iteration, its seeds pooled. */
export type ScoredContender = {
  readonly key: ContenderKey;
  readonly title: string;
  /** Whether iterations change it; a contender that learns nothing has iteration 0 alone. */
  readonly learns: boolean;
  /** The method whose trained agents vote; null for a method's own way of answering. */
  readonly votesOf: MethodName | null;
  readonly seeds: readonly number[];
  /** By iteration, as far as all seeds have got. */
  readonly scores: readonly Scores[];
};

/** All contenders of a setting, in the order of the paper's tables. */
export function contenders(experiments: readonly MeasuredExperiment[]): ScoredContender[] {
  return methodNames.flatMap((method) => {
    const own = experiments.filter((each) => each.method === method);
    if (own.length === 0) return [];
    const votes = method === 'debate' ? majorityAtEqualTokens(own) : [];
    return [...votes, contender(method, own), ...votesOfTrained(method, own)];
  });
}

/** How many iterations all seeds of a method have, with the base model's. */
export function commonIterations(experiments: readonly MeasuredExperiment[]): number {
  return Math.min(...experiments.map(({ iterations }) => iterations.length));
}

function contender(method: MethodName, experiments: readonly MeasuredExperiment[]): ScoredContender {
  const { title, learning } = methods[method];
  const learns = learning !== undefined;
  const common = learns ? commonIterations(experiments) : 1;
  return {
    key: method,
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
function votesOfTrained(method: MethodName, experiments: readonly MeasuredExperiment[]): ScoredContender[] {
  const { title, learning, answer } = methods[method];
  if (learning === undefined) return [];
  const iterations = Array.from({ length: commonIterations(experiments) }, (_, iteration) =>
    experiments.flatMap((each) => each.iterations[iteration] ?? []),
  );
  const common = { learns: true, votesOf: method, seeds: experiments.map(({ seed }) => seed) };
  const counts = iterations.slice(1).flatMap((seeds) => seeds.flatMap(({ votes }) => votes?.count ?? []));
  return [
    // A method that answers by majority has this figure already.
    ...(answer === 'majority'
      ? []
      : [
          {
            ...common,
            key: `${method}:first-vote` as const,
            title: `${title}: vote over first answers`,
            scores: iterations.map((seeds) => pooled(seeds.map(({ firstVote }) => firstVote))),
          },
        ]),
    ...(counts.length === 0
      ? []
      : [
          {
            ...common,
            key: `${method}:equal-tokens` as const,
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
