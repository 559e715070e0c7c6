import type { StudyCell } from '../../config/resolve-study.ts';
import type { ExperimentResult } from '../../store/experiment-result.ts';

/** A finished experiment of a study. */
export type FinishedCell = Omit<StudyCell, 'input'> & { readonly result: ExperimentResult };

/** An experiment of a study that the report is without. */
export type MissingCell = Pick<StudyCell, 'name' | 'experiment' | 'method' | 'seed'> & {
  readonly reason: string;
};
