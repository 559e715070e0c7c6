import { diversityOver } from '../../algorithm/measures/diversity.ts';
import type { Ratio } from '../../algorithm/measures/ratio.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import { commonIterations } from './contenders.ts';

/** How diverse a method's agents were after an iteration, over the questions of all seeds; null where nothing was measured. */
export type DiversityRow = {
  readonly iteration: number;
  /** What made the vectors; dissimilarities compare only when it is the same. */
  readonly encoder: string;
} & { readonly [measure in DiversityMeasure]: Ratio | null };

/** In the order of the report. */
export const diversityMeasures = [
  'dissimilarity',
  'nllOfOthers',
  'nllOfOwn',
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
    const pooled = diversityOver(found.flatMap((each) => each.rows));
    rows.push({
      iteration,
      encoder: first.encoder,
      ...pooled,
      betweenAgents: pooled.betweenAgents.perToken,
      fromBase: pooled.fromBase.perToken,
    });
  }
  return { rows, leftOut: [...leftOut] };
}
