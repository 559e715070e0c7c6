import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { Evaluation } from '../algorithm/evaluation.ts';

export type Phase =
  | 'preparing'
  | 'evaluating'
  | 'debating'
  | 'building datasets'
  | 'fine-tuning'
  | 'reporting'
  | 'done';

/** Where an experiment stands: the answer to the query `progress` and the source of its current details. */
export type Progress = {
  readonly experiment: string;
  /** `parked`: a step has used up its retries and the run waits for `retry` or `abort`. */
  readonly state: 'running' | 'paused' | 'parked' | 'finished';
  readonly phase: Phase;
  /** 0 while the base model is evaluated. */
  readonly iteration: number;
  /** L */
  readonly iterations: number;
  /** Steps of this phase (shards of questions, or models). */
  readonly done: number;
  readonly total: number;
  readonly unit: 'shards' | 'models' | 'steps';
  /** How many questions a phase of debates has in all, so that shards can be told as questions. */
  readonly questions: number;
  /** ISO 8601, when the phase began. */
  readonly phaseStartedAt: string;
  /** The steps that wait for a person, in plain words. */
  readonly waiting: readonly Waiting[];
  /** First the base, then each iteration. */
  readonly evaluations: readonly Evaluation[];
};
export type Waiting = { readonly step: string; readonly reason: string; readonly since: string };

export const progressQuery = defineQuery<Progress>('progress');
/** Stops after the steps in flight have saved what they have; `resume` goes on from there. */
export const pauseUpdate = defineUpdate<Progress>('pause');
export const resumeUpdate = defineUpdate<Progress>('resume');
/** Tries the parked steps again. */
export const retryUpdate = defineUpdate<Progress>('retry');
/** Ends a parked experiment as failed. What is finished stays; starting it again goes on from there. */
export const abortUpdate = defineUpdate<Progress, [reason: string]>('abort');
/** Sets L: not below the iteration under way. */
export const setIterationsUpdate = defineUpdate<Progress, [iterations: number]>('setIterations');
