import { type LabelQuality, labelQuality } from '../../algorithm/measures/labels.ts';
import type { MeasuredExperiment } from '../read/measured-experiment.ts';
import { commonIterations } from './contenders.ts';

/** How right the labels of an iteration's training questions were, over the questions of all seeds. */
export type LabelRow = LabelQuality & { readonly iteration: number; readonly minVotes: number };

/** None for a method that learns nothing or from gold labels, and where labels were not judged. */
export function labelsOf(experiments: readonly MeasuredExperiment[]): LabelRow[] {
  return Array.from({ length: commonIterations(experiments) }, (_, iteration) => iteration).flatMap(
    (iteration) => {
      const judged = experiments.flatMap(({ iterations }) => iterations[iteration]?.labels ?? []);
      const [first] = judged;
      if (first === undefined) return [];
      // Seeds of one method share their config.
      const { minVotes } = first;
      return [
        {
          iteration,
          minVotes,
          ...labelQuality(
            judged.flatMap(({ rows }) => rows),
            minVotes,
          ),
        },
      ];
    },
  );
}
