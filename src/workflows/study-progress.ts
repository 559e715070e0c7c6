import { defineQuery, isCancellation, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { PlannedCell } from '../activities/steps/study.ts';
import type { StudyResult } from '../config/study.ts';
import type { MethodName } from '../algorithm/methods.ts';
import { blackOnWhite, fenced, markdownTable } from '../text/safe-text.ts';

/** `elsewhere`: an experiment of that name is running that this study has not started; it is waited for. */
export type CellState = 'waiting' | 'running' | 'elsewhere' | 'finished' | 'failed';

/** Where a study stands. */
export type StudyProgress = {
  readonly study: string;
  readonly state: 'running' | 'finished' | 'failed' | 'cancelled';
  readonly cells: readonly {
    /** The experiment's name and workflow id. */
    readonly name: string;
    readonly experiment: string;
    readonly method: MethodName;
    readonly variant?: string;
    readonly seed: number;
    readonly state: CellState;
    /** Why it has failed. */
    readonly reason?: string;
  }[];
};

/** Under the same name as an experiment's. */
export const studyProgressQuery = defineQuery<StudyProgress>('progress');

/** Where a study stands, for its query and its current details. */
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
        cells: cells.map(({ name: cell, experiment: column, method, variant, seed, finished }) => ({
          name: cell,
          experiment: column,
          method,
          ...(variant === undefined ? {} : { variant }),
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

/** The Markdown that the Temporal UI shows for a study: a row for each method and variant, a column for each experiment and seed. */
export function studyDetails({ state, cells }: StudyProgress): string {
  const finished = cells.filter((cell) => cell.state === 'finished').length;
  const columns = [...new Set(cells.map(columnOf))];
  const rows = [...new Set(cells.map(rowOf))];
  const row = (shown: string): string[] => [
    shown,
    ...columns.map(
      (column) => cells.find((cell) => rowOf(cell) === shown && columnOf(cell) === column)?.state ?? '',
    ),
  ];
  return [
    `**${state}**: ${finished} of ${cells.length} experiments finished`,
    ...(cells.length === 0 ? [] : [markdownTable(['method', ...columns], rows.map(row))]),
    ...cells.flatMap(({ name, reason }) => (reason === undefined ? [] : [failureOf(name, reason)])),
    blackOnWhite,
  ].join('\n\n');
}

function rowOf({ method, variant = method }: StudyProgress['cells'][number]): string {
  return variant;
}

function columnOf({ experiment, seed }: StudyProgress['cells'][number]): string {
  return `${experiment}, seed ${seed}`;
}

/** The reason holds text from servers and models: within a code block none of it is a link or HTML. */
function failureOf(name: string, reason: string): string {
  return `**${name} failed**\n\n${fenced(reason.slice(0, 1_000))}`;
}
