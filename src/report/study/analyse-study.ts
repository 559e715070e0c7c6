import { setImmediate as others } from 'node:timers/promises';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { type Agreement, agreement } from './agreement.ts';
import { besideDebate, type BesideDebate } from './beside-debate.ts';
import { compareAll, type Comparison, withHolm } from './comparisons.ts';
import { consensusOf, type ConsensusRow } from './consensus-of.ts';
import { contenders, type RowKey } from './contender.ts';
import { costOf, type MethodCost } from './cost-of.ts';
import { curve, type CurvePoint } from './curve.ts';
import { type DatasetSize, datasetSizes, type VoteShare, voteShares } from './dataset-sizes.ts';
import { diversityOf, type DiversityOf } from './diversity-of.ts';
import { type Endurance, endurance } from './endurance.ts';
import type { MissingCell } from './finished-cell.ts';
import { type FlipRow, flipsOf } from './flips-of.ts';
import type { MeasuredCell } from './measure-cell.ts';
import { paperSetting } from './paper-setting.ts';
import { publishedFigure } from './published.ts';
import { summariesOf, type SummaryRow } from './summaries-of.ts';
import { type Transfer, transferOf } from './transfer-of.ts';

/** All that a study's report says, in numbers. */
export type StudyAnalysis = {
  readonly name: string;
  /** What the others are compared with: the paper's method, or else the last of the study's. */
  readonly reference: RowKey;
  readonly columns: readonly Column[];
  /** Against the reference; significance is corrected over all of one moment. */
  readonly comparisons: readonly Comparison[];
  readonly missing: readonly MissingCell[];
};

/** An experiment of the study: a task and a model. */
export type Column = {
  readonly name: string;
  readonly rows: readonly Row[];
  /** Its finished experiments, in the study's order. */
  readonly experiments: readonly Experiment[];
  /** Whether seeds share held-out questions: their units then depend on each other, and errors are larger than told. */
  readonly sharedQuestions: boolean;
};

export type Experiment = Pick<MeasuredCell, 'name' | 'method' | 'seed' | 'config' | 'result'>;

export type Row = {
  readonly key: RowKey;
  readonly title: string;
  readonly learns: boolean;
  readonly seeds: readonly number[];
  readonly curve: readonly CurvePoint[];
  readonly endurance: Endurance | null;
  /** All that it took, the mean of its seeds; null where none were counted. */
  readonly tokens: number | null;
  /** What follows is null for the majority at equal tokens: it is measured with the debate's experiment. */
  readonly own: OfMethod | null;
};

export type OfMethod = {
  readonly config: ExperimentConfig;
  /** The paper's figures beside ours, by iteration; null where it has none. */
  readonly agreements: readonly (Agreement | null)[];
  readonly cost: MethodCost;
  readonly flips: readonly FlipRow[];
  readonly summaries: readonly SummaryRow[];
  readonly consensus: readonly ConsensusRow[];
  readonly datasets: readonly DatasetSize[];
  readonly votes: readonly VoteShare[];
  readonly besideDebate: readonly BesideDebate[];
  readonly transfer: readonly Transfer[];
  readonly diversity: DiversityOf;
};

/** Computes everything from the scores that were read. Lets other work of this process go on in between. */
export async function analyseStudy(
  name: string,
  cells: readonly MeasuredCell[],
  missing: readonly MissingCell[],
): Promise<StudyAnalysis> {
  const reference = referenceOf([...cells, ...missing]);
  const columns: Column[] = [];
  const comparisons = [];
  for (const column of new Set(cells.map(({ experiment }) => experiment))) {
    const own = cells.filter(({ experiment }) => experiment === column);
    const rows = contenders(own);
    comparisons.push(...(await compareAll(column, rows, reference)));
    columns.push({
      name: column,
      rows: await Promise.all(rows.map((row) => describe(column, row, own))),
      experiments: own.map(({ name: cell, method, seed, config, result }) => ({
        name: cell,
        method,
        seed,
        config,
        result,
      })),
      sharedQuestions: sharesQuestions(own),
    });
  }
  return { name, reference, columns, comparisons: withHolm(comparisons), missing };
}

async function describe(
  column: string,
  contender: ReturnType<typeof contenders>[number],
  cells: readonly MeasuredCell[],
): Promise<Row> {
  const { key, title, learns, seeds } = contender;
  const own = cells.filter(({ method }) => method === key);
  const points = curve(contender);
  await others();
  const of = ofMethod(column, own, cells, points, learns);
  return {
    key,
    title,
    learns,
    seeds,
    curve: points,
    endurance: endurance(contender, points, column),
    tokens: of === null ? votesTokens(cells) : of.cost.tokens,
    own: of,
  };
}

/** Of the majority beside the base model's debate. */
function votesTokens(cells: readonly MeasuredCell[]): number | null {
  const counts = cells.flatMap(({ method, iterations }) =>
    method === 'debate' ? (iterations[0]?.votes?.tokens ?? []) : [],
  );
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0) / counts.length;
}

function ofMethod(
  column: string,
  cells: readonly MeasuredCell[],
  others: readonly MeasuredCell[],
  points: readonly CurvePoint[],
  learns: boolean,
): OfMethod | null {
  const [first] = cells;
  if (first === undefined) return null;
  return {
    config: first.config,
    agreements: points.map((point) => besidePaper(first.config, point)),
    cost: costOf(cells, points.at(-1)?.accuracy ?? NaN),
    flips: flipsOf(cells),
    summaries: summariesOf(column, cells, others),
    consensus: consensusOf(cells),
    datasets: datasetSizes(cells),
    votes: voteShares(cells),
    besideDebate: besideDebate(column, cells),
    transfer: transferOf(column, cells, learns),
    diversity: diversityOf(cells),
  };
}

function besidePaper(config: ExperimentConfig, point: CurvePoint): Agreement | null {
  const setting = paperSetting(config);
  const figure = setting === null ? null : publishedFigure(setting, config.method, point.iteration);
  return figure === null ? null : agreement(point, figure);
}

function referenceOf(cells: readonly { readonly method: MeasuredCell['method'] }[]): RowKey {
  const named = cells.map(({ method }) => method);
  return named.includes('multiagent-ft') ? 'multiagent-ft' : (named.at(-1) ?? 'multiagent-ft');
}

/** Whether a question of one seed is also one of another. All methods of a seed have the same questions. */
function sharesQuestions(cells: readonly MeasuredCell[]): boolean {
  const seedsOf = new Map<string, number>();
  return cells.some(({ seed, iterations }) =>
    [...(iterations[0]?.scores.values() ?? [])].some(({ text }) => {
      const before = seedsOf.get(text);
      seedsOf.set(text, seed);
      return before !== undefined && before !== seed;
    }),
  );
}
