import type { StudyCell } from '../../config/study.ts';
import type { ExperimentResult } from '../../store/records/result.ts';

/** A finished experiment of a study. */
export type FinishedCell = Omit<StudyCell, 'input'> & { readonly result: ExperimentResult };

/** An experiment of a study that the report is without. */
export type MissingCell = Pick<StudyCell, 'name' | 'experiment' | 'method' | 'seed'> & {
  readonly reason: string;
};
