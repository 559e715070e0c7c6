import type { Ratio } from '../../algorithm/measures/tests.ts';
import { commonIterations } from './contender.ts';
import type { Diversity, MeasuredCell } from './measure-cell.ts';
import { pooledRatio } from './pooled-ratio.ts';

/** How diverse a method's agents were after an iteration, the seeds pooled; null where nothing was measured. */
export type DiversityRow = {
  readonly iteration: number;
  /** Of dissimilarities; only those of the same encoder compare. */
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

export type DiversityOf = {
  readonly rows: readonly DiversityRow[];
  /** Why some of it is missing, each reason once. */
  readonly leftOut: readonly string[];
};

export function diversityOf(cells: readonly MeasuredCell[]): DiversityOf {
  const rows: DiversityRow[] = [];
  const leftOut = new Set<string>();
  for (let iteration = 0; iteration < commonIterations(cells); iteration++) {
    const found = cells.flatMap(({ iterations }) => iterations[iteration]?.diversity ?? []);
    for (const { leftOut: reason } of found) if (reason !== null) leftOut.add(reason);
    const [first] = found;
    if (first === undefined) continue;
    // Seeds of one method share their config, and so their encoder.
    const of = (ratio: (each: Diversity) => Ratio | null) => pooledRatio(found.map(ratio));
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
