import { defineQuery } from '@temporalio/workflow';
import type { MethodName } from '../algorithm/methods/methods.ts';

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
    readonly seed: number;
    readonly state: CellState;
    /** Why it has failed. */
    readonly reason?: string;
  }[];
};

/** Under the same name as an experiment's. */
export const studyProgressQuery = defineQuery<StudyProgress>('progress');
