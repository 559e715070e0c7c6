import {
  defineQuery,
  defineUpdate,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import type { PlannedCell, StudyResult } from '../activities/steps/study.ts';
import { type Budget, usedUp } from '../algorithm/steering.ts';
import type { MethodName } from '../algorithm/methods.ts';
import { blackOnWhite, fenced, markdownTable, shellWord } from '../text/safe-text.ts';
import { budgetText, raisedSettings } from './progress-table.ts';

/** `elsewhere`: an experiment of that name is running that this study has not started; it is waited for. */
export type CellState = 'waiting' | 'running' | 'elsewhere' | 'finished' | 'failed';

/** Where a study stands. */
export type StudyProgress = {
  readonly study: string;
  readonly state: 'running' | 'finished' | 'failed' | 'cancelled';
  /** Only with a `total_budget`: what all experiments may use together, and what they have used. */
  readonly budget?: StudyBudget;
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

export type StudyBudget = Pick<Budget, 'limits' | 'used'>;

/** Under the same name as an experiment's. */
export const studyProgressQuery = defineQuery<StudyProgress>('progress');

/** Of a study with a `total_budget`: as an experiment's. */
export const setTotalBudgetUpdate = defineUpdate<
  StudyProgress,
  [limits: Readonly<Record<string, number | null>>]
>('setBudget');

/** Where a study stands, for its query and its current details. */
export type StudyTracker = {
  readonly current: () => StudyProgress;
  readonly budget: (budget: StudyBudget) => void;
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
    current: () => progress,
    budget: (budget) => update({ budget }),
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
export function studyDetails({ study, state, cells, budget }: StudyProgress): string {
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
    ...(budget === undefined ? [] : [studyBudgetText(study, budget)]),
    ...(cells.length === 0 ? [] : [markdownTable(['method', ...columns], rows.map(row))]),
    ...cells.flatMap(({ name, reason }) => (reason === undefined ? [] : [failureOf(name, reason)])),
    blackOnWhite,
  ].join('\n\n');
}

/** What was used of what, and how it goes on where that is all. */
export function studyBudgetText(study: string, budget: StudyBudget): string {
  const said = `total_budget: ${budgetText(budget)}`;
  return usedUp(budget).length === 0
    ? said
    : `${said}. It is used up: to go on: colloquy set-budget ${shellWord(study)} ${raisedSettings(budget).join(' ')}`;
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
