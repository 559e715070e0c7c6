import { defineSearchAttributeKey } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import type { Progress } from './progress.ts';

/** The task queues, one for each kind of work. By default a worker serves all of them. */
export const taskQueues = {
  /** Workflows and light activities. */
  control: 'colloquy',
  /** Debates: many requests in flight, waiting on an engine. */
  debate: 'colloquy-debate',
  /** Fine-tunes: one at a time for each GPU. */
  gpu: 'colloquy-gpu',
} as const;
export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];

/** By these Temporal's lists of workflows can be searched, once they are registered: `temporal workflow list --query 'ColloquyState="parked"'`. */
export const searchAttributes = {
  state: defineSearchAttributeKey('ColloquyState', 'KEYWORD'),
  phase: defineSearchAttributeKey('ColloquyPhase', 'KEYWORD'),
  iteration: defineSearchAttributeKey('ColloquyIteration', 'INT'),
} as const;

/** Sets those that have changed; an event of the history. Where one is not registered, the server fails every attempt at it. */
export function setSearchAttributes(before: Progress | undefined, now: Progress): void {
  const changed = (key: 'state' | 'phase' | 'iteration'): boolean => before?.[key] !== now[key];
  if (!changed('state') && !changed('phase') && !changed('iteration')) return;
  upsertSearchAttributes([
    { key: searchAttributes.state, value: now.state },
    { key: searchAttributes.phase, value: now.phase },
    { key: searchAttributes.iteration, value: now.iteration },
  ]);
}
