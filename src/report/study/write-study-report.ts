import { writeDocument } from '../../store/documents.ts';
import type { StudyCell } from '../../config/resolve-study.ts';
import type { ExperimentResult } from '../../store/experiment-result.ts';
import type { Store } from '../../store/open-store.ts';
import { studyFiles } from '../../store/study-files.ts';

/** A finished experiment of a study. */
export type FinishedCell = StudyCell & { readonly result: ExperimentResult };

/**
 * Writes what a study has found.
 *
 * @returns the files, absolute
 */
export async function writeStudyReport(
  store: Store,
  study: string,
  finished: readonly FinishedCell[],
): Promise<string[]> {
  const { results } = studyFiles(store, study);
  await writeDocument(results, {
    formatVersion: 1,
    name: study,
    experiments: finished.map(({ name, experiment, method, seed, result }) => ({
      name,
      experiment,
      method,
      seed,
      evaluations: result.evaluations,
    })),
  });
  return [results];
}
