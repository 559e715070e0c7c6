import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type { About } from '../activities/steps/prepare.ts';
import { type Progress, standing } from './progress.ts';

/** The task queues, one for each kind of work. By default a worker serves all of them. */
export const taskQueues = {
  /** Workflows and light activities. */
  control: 'colloquy',
  /** Debates: many requests in flight, waiting on an engine. */
  debate: 'colloquy-debate',
  /** Fine-tunes: one at a time on a GPU, one for each core without a GPU. */
  gpu: 'colloquy-gpu',
} as const;
export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];

/** By these Temporal's lists of workflows can be searched, once they are registered: `temporal workflow list --query 'ColloquyState="parked"'`. */
export const searchAttributes = {
  state: defineSearchAttributeKey('ColloquyState', 'KEYWORD'),
  phase: defineSearchAttributeKey('ColloquyPhase', 'KEYWORD'),
  iteration: defineSearchAttributeKey('ColloquyIteration', 'INT'),
  method: defineSearchAttributeKey('ColloquyMethod', 'KEYWORD'),
  model: defineSearchAttributeKey('ColloquyModel', 'KEYWORD'),
  series: defineSearchAttributeKey('ColloquySeries', 'KEYWORD'),
  /** The newest accuracy of the debate on the held-out questions, from 0 to 1. */
  accuracy: defineSearchAttributeKey('ColloquyAccuracy', 'DOUBLE'),
} as const;

/**
 * Sets those that have changed; an event of the history. Where one is not registered, the server fails every attempt at it.
 *
 * @param about undefined for a run that an earlier version has begun: its history has no events for these
 */
export function setSearchAttributes(
  before: Progress | undefined,
  now: Progress,
  about: About | undefined,
): void {
  const changed = (key: 'state' | 'phase' | 'iteration'): boolean => before?.[key] !== now[key];
  const measured =
    about !== undefined && accuracyOf(now) !== (before === undefined ? undefined : accuracyOf(before));
  if (!changed('state') && !changed('phase') && !changed('iteration') && !measured) return;
  const accuracy = accuracyOf(now);
  upsertSearchAttributes([
    { key: searchAttributes.state, value: now.state },
    { key: searchAttributes.phase, value: now.phase },
    { key: searchAttributes.iteration, value: now.iteration },
    ...(about === undefined || before !== undefined
      ? []
      : [
          { key: searchAttributes.method, value: about.method },
          { key: searchAttributes.model, value: about.model.slice(0, longestKeyword) },
          ...(about.series === undefined ? [] : [{ key: searchAttributes.series, value: about.series }]),
        ]),
    ...(measured && accuracy !== undefined ? [{ key: searchAttributes.accuracy, value: accuracy }] : []),
  ]);
}

/** Databases of Temporal's keep at most 255 characters. */
const longestKeyword = 200;

/** Writes the same facts into the memo, once in each run and at its end, for people and programs without search attributes. */
export function setMemo(about: About, progress: Progress): void {
  const accuracy = accuracyOf(progress);
  upsertMemo({ ...about, ...(accuracy === undefined ? {} : { accuracy }) });
}

/**
 * Sets in the memo what a run waits for; undefined removes it.
 *
 * This is also the event that keeps such moments apart. A workflow task without commands leaves no trace of where it ended: a worker
 * that takes the run over reads it and the next task as one, and gives the workflow an update before the failures that came earlier.
 */
export function setHalted(text: string | undefined): void {
  upsertMemo({ halted: text ?? null });
}

function accuracyOf(progress: Progress): number | undefined {
  return standing(progress)?.debate.accuracy;
}
