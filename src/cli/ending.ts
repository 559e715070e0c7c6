import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, TerminatedFailure } from '@temporalio/common';
import { type ExperimentResult, experimentResultSchema } from '../store/records/result.ts';
import type { Waiting } from '../workflows/progress.ts';
import type { Temporal } from './connect.ts';

/** How following an experiment ended. */
export type Ending =
  | { readonly kind: 'finished'; readonly result: ExperimentResult }
  | { readonly kind: 'failed'; readonly reason: string; readonly type: string }
  | { readonly kind: 'parked'; readonly waiting: readonly Waiting[] }
  /** The signal was aborted: the experiment goes on without us. */
  | { readonly kind: 'detached' };

/** How the latest run of an experiment ended; waits for its end. */
export async function endingOf(
  { client }: Temporal,
  name: string,
): Promise<Extract<Ending, { kind: 'finished' | 'failed' }>> {
  try {
    const result: unknown = await client.workflow.getHandle(name).result();
    return { kind: 'finished', result: experimentResultSchema.parse(result) };
  } catch (error) {
    return failedBy(error);
  }
}

/** Why waiting for a workflow's result failed, if the workflow did. @throws whatever else was the matter */
export function failedBy(error: unknown): Extract<Ending, { kind: 'failed' }> {
  if (!(error instanceof WorkflowFailedError)) throw error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    return { kind: 'failed', reason: cause.message, type: cause.type ?? 'Error' };
  }
  const type = cause instanceof TerminatedFailure ? 'Terminated' : (cause?.name ?? 'Failed');
  return { kind: 'failed', reason: cause?.message || error.message, type };
}
