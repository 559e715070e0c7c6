import { isCancellation, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { PlannedCell } from '../activities/prepare-study.ts';
import type { StudyResult } from '../store/study-result.ts';
import { studyDetails } from './study-details.ts';
import { type CellState, type StudyProgress, studyProgressQuery } from './study-progress.ts';

/** Where a study stands, as its query and its current details tell it. */
export type StudyTracker = {
  readonly cells: (cells: readonly PlannedCell[]) => void;
  readonly is: (cell: PlannedCell, state: CellState, reason?: string) => void;
  readonly failed: () => StudyResult['failed'];
  /** How many are not begun yet. */
  readonly left: () => number;
  readonly finished: () => void;
  readonly ended: (error: unknown) => void;
};

/** Begins to track a study, and registers its query. */
export function trackStudy(name: string): StudyTracker {
  let progress: StudyProgress = { study: name, state: 'running', cells: [] };
  const update = (changes: Partial<StudyProgress>): void => {
    progress = { ...progress, ...changes };
    setCurrentDetails(studyDetails(progress));
  };
  setHandler(studyProgressQuery, () => progress);
  update({});
  return {
    cells: (cells) =>
      update({
        cells: cells.map(({ name: cell, experiment: column, method, seed, finished }) => ({
          name: cell,
          experiment: column,
          method,
          seed,
          state: finished ? 'finished' : 'waiting',
        })),
      }),
    is: ({ name: cell }, state, reason) =>
      update({
        cells: progress.cells.map((each) =>
          each.name === cell ? { ...each, state, ...(reason === undefined ? {} : { reason }) } : each,
        ),
      }),
    failed: () =>
      progress.cells.flatMap(({ name: cell, state, reason = '' }) =>
        state === 'failed' ? [{ name: cell, reason }] : [],
      ),
    left: () => progress.cells.filter(({ state }) => state === 'waiting').length,
    finished: () => update({ state: 'finished' }),
    ended: (error) => update({ state: isCancellation(error) ? 'cancelled' : 'failed' }),
  };
}
