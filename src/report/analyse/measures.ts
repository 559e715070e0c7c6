import { type Cost, cost, pointsPerMillionTokens } from '../../algorithm/measures/cost.ts';
import type { Ratio } from '../../algorithm/measures/tests.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import type { MeasuredDiversity, MeasuredExperiment } from '../read/measured-experiment.ts';
import { commonIterations } from './contenders.ts';

/**
 * One ratio over several seeds: the sum of numerators over the sum of denominators. Each seed is a stratum with its own error. Null when
 * nothing was counted.
 */
export function pooledRatio(ratios: readonly (Ratio | null | undefined)[]): Ratio | null {
  const counted = ratios.filter((ratio) => ratio !== null && ratio !== undefined);
  const of = counted.reduce((sum, ratio) => sum + ratio.of, 0);
  if (of === 0) return null;
  return {
    value: counted.reduce((sum, ratio) => sum + ratio.value * ratio.of, 0) / of,
    standardError: Math.hypot(...counted.map((ratio) => ratio.standardError * ratio.of)) / of,
    of,
  };
}

/** How much a method's agents agree on held-out questions after an iteration, the seeds pooled. */
export type ConsensusRow = {
  readonly iteration: number;
  /** The share of last answers that agree with the majority. */
  readonly consensusShare: Ratio | null;
  /** The share of questions whose last answers are all equal. */
  readonly unanimous: Ratio | null;
  /** The share of questions that any of the N first answers gets right, and the share that their majority gets right. */
  readonly passAtN: Ratio | null;
  readonly majAtN: Ratio | null;
};

export function consensusOf(experiments: readonly MeasuredExperiment[]): ConsensusRow[] {
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => {
    const measured = experiments.flatMap(({ iterations }) => iterations[iteration]?.measures ?? []);
    return {
      iteration,
      consensusShare: pooledRatio(measured.map(({ consensusShare }) => consensusShare)),
      unanimous: pooledRatio(measured.map(({ unanimous }) => unanimous)),
      passAtN: pooledRatio(measured.map(({ passAtK }) => passAtK.at(-1))),
      majAtN: pooledRatio(measured.map(({ majAtK }) => majAtK.at(-1))),
    };
  });
}

/** How agents changed their answers between two rounds, after an iteration: shares, the seeds pooled. See RoundChange. */
export type FlipRow = {
  readonly iteration: number;
  /** The later of the two rounds. */
  readonly round: number;
} & { readonly [share in FlipShare]: Ratio | null };

type FlipShare =
  | 'rightToRight'
  | 'rightToWrong'
  | 'wrongToRight'
  | 'wrongToWrong'
  | 'corrected'
  | 'spoilt'
  | 'conformed';

/** For the experiments of one method; none when there is one round. */
export function flipsOf(experiments: readonly MeasuredExperiment[]): FlipRow[] {
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => iteration).flatMap(
    (iteration) => {
      const changes = experiments.map(({ iterations }) => iterations[iteration]?.measures.changes ?? []);
      const rounds = Math.max(...changes.map(({ length }) => length));
      return Array.from({ length: rounds }, (_, index) => {
        const share = (name: FlipShare) => pooledRatio(changes.map((ofSeed) => ofSeed[index]?.[name]));
        return {
          iteration,
          round: index + 2,
          rightToRight: share('rightToRight'),
          rightToWrong: share('rightToWrong'),
          wrongToRight: share('wrongToRight'),
          wrongToWrong: share('wrongToWrong'),
          corrected: share('corrected'),
          spoilt: share('spoilt'),
          conformed: share('conformed'),
        };
      });
    },
  );
}

/** How diverse a method's agents were after an iteration, the seeds pooled; null where nothing was measured. */
export type DiversityRow = {
  readonly iteration: number;
  /** What made the vectors; dissimilarities compare only when it is the same. */
  readonly encoder: string;
} & { readonly [measure in DiversityMeasure]: Ratio | null };

/** In the order of the report. */
export const diversityMeasures = [
  'dissimilarity',
  'nllOfOthers',
  'betweenAgents',
  'fromBase',
  'distinctAnswers',
] as const;
export type DiversityMeasure = (typeof diversityMeasures)[number];

export type MethodDiversity = {
  readonly rows: readonly DiversityRow[];
  /** Why some of it is missing, each reason once. */
  readonly leftOut: readonly string[];
};

export function diversityOf(experiments: readonly MeasuredExperiment[]): MethodDiversity {
  const rows: DiversityRow[] = [];
  const leftOut = new Set<string>();
  for (let iteration = 0; iteration < commonIterations(experiments); iteration++) {
    const found = experiments.flatMap(({ iterations }) => iterations[iteration]?.diversity ?? []);
    for (const { leftOut: reason } of found) if (reason !== null) leftOut.add(reason);
    const [first] = found;
    if (first === undefined) continue;
    // Seeds of one method share their config, and so their encoder.
    const of = (ratio: (each: MeasuredDiversity) => Ratio | null) => pooledRatio(found.map(ratio));
    rows.push({
      iteration,
      encoder: first.encoder,
      dissimilarity: of((each) => each.dissimilarity),
      nllOfOthers: of((each) => each.nllOfOthers),
      betweenAgents: of((each) => each.betweenAgents.perToken),
      fromBase: of((each) => each.fromBase.perToken),
      distinctAnswers: of((each) => each.distinctAnswers),
    });
  }
  return { rows, leftOut: [...leftOut] };
}

/** The datasets that a method's models were trained on in an iteration: means over its seeds. */
export type DatasetSize = {
  readonly iteration: number;
  readonly role: string;
  /** How many datasets of this role there are: one for each agent, or one that all share. */
  readonly datasets: number;
  /** The mean number of rows of a dataset. */
  readonly rows: number;
  /** The number of rows of the smallest dataset of all seeds. */
  readonly fewest: number;
};

/** The training votes of an iteration, as shares of the questions of all seeds. */
export type VoteShare = {
  readonly iteration: number;
  readonly questions: number;
  readonly unanimous: number;
  readonly ties: number;
  readonly withoutLabel: number;
};

export function datasetSizes(experiments: readonly MeasuredExperiment[]): DatasetSize[] {
  const all = experiments.flatMap(({ result }) =>
    result.iterations.flatMap(({ iteration, datasets }) =>
      datasets.map(({ role, rows }) => ({ iteration, role, rows })),
    ),
  );
  const keys = new Map(all.map(({ iteration, role }) => [`${iteration} ${role}`, { iteration, role }]));
  return [...keys.values()]
    .toSorted((a, b) => a.iteration - b.iteration)
    .map(({ iteration, role }) => {
      const rows = all
        .filter((each) => each.iteration === iteration && each.role === role)
        .map((each) => each.rows);
      return {
        iteration,
        role,
        datasets: rows.length / experiments.length,
        rows: rows.reduce((sum, each) => sum + each, 0) / rows.length,
        fewest: Math.min(...rows),
      };
    });
}

export function voteShares(experiments: readonly MeasuredExperiment[]): VoteShare[] {
  // Gold labels are not voted on.
  const voting = experiments.filter(({ config }) => config.label_source === 'consensus');
  const all = voting.flatMap(({ result }) => result.iterations);
  return [...new Set(all.map(({ iteration }) => iteration))]
    .toSorted((a, b) => a - b)
    .map((iteration) => {
      const votes = all.filter((each) => each.iteration === iteration).map(({ consensus }) => consensus);
      const sum = (of: (each: (typeof votes)[number]) => number): number =>
        votes.reduce((total, each) => total + of(each), 0);
      const questions = sum((each) => each.questions);
      return {
        iteration,
        questions,
        unanimous: sum((each) => each.unanimous) / questions,
        ties: sum((each) => each.ties) / questions,
        withoutLabel: sum((each) => each.withoutLabel) / questions,
      };
    });
}

/** What a method cost for each seed, and what it gained. */
export type MethodCost = Pick<
  Cost,
  'tokensIn' | 'tokensOut' | 'tokensTrained' | 'tokens' | 'deviceSeconds' | 'wallSeconds'
> & {
  /** Percentage points over one answer of the base model, for each million tokens; null when no tokens were counted. */
  readonly pointsPerMillionTokens: number | null;
};

/**
 * The mean over one method's experiments of what each used (src/algorithm/measures/cost.ts defines what counts): training debates,
 * fine-tunes and evaluations. The base model's own evaluation does not count for a method that learns: it is only the start of the curve.
 * Answers that experiments of a study share count for each of them, since each would need them if it ran alone.
 *
 * @param accuracy the method's accuracy after its last iteration, 0..1
 */
export function costOf(experiments: readonly MeasuredExperiment[], accuracy: number): MethodCost {
  const costs = experiments.map(({ result, config, method, baseTokens }) => {
    // A method that answers once is measured with the answers of all agents, for precision; it costs one of them.
    const share = methods[method].answer === 'single' ? 1 / config.agents : 1;
    const { prompt, completion } = result.tokens.evaluation;
    const evaluation = { prompt: prompt * share, completion: completion * share };
    const used = cost({ ...result, tokens: { ...result.tokens, evaluation } });
    const curveOnly = methods[method].learning === undefined ? 0 : baseTokens * share;
    return { ...used, tokens: used.tokens - curveOnly };
  });
  const mean = (of: (used: Cost) => number): number =>
    costs.reduce((sum, used) => sum + of(used), 0) / costs.length;
  const base =
    experiments.reduce((sum, { result }) => sum + (result.evaluations[0]?.single.accuracy ?? 0), 0) /
    experiments.length;
  const tokens = mean((used) => used.tokens);
  return {
    tokensIn: mean((used) => used.tokensIn),
    tokensOut: mean((used) => used.tokensOut),
    tokensTrained: mean((used) => used.tokensTrained),
    tokens,
    deviceSeconds: mean((used) => used.deviceSeconds),
    wallSeconds: mean((used) => used.wallSeconds),
    pointsPerMillionTokens: pointsPerMillionTokens(accuracy, base, tokens),
  };
}

/** The cost and the accuracy of a result. */
export type Priced = { readonly tokens: number; readonly accuracy: number };

/** The Pareto front, cheapest first: a result is on it when no other is at least as accurate for at most as many tokens. Of equal ones, the first. */
export function paretoFront<Result extends Priced>(results: readonly Result[]): Result[] {
  const byCost = results.toSorted((a, b) => a.tokens - b.tokens || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return byCost.filter(({ accuracy }) => {
    if (accuracy <= best) return false;
    best = accuracy;
    return true;
  });
}
