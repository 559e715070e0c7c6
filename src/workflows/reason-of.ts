import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { timeoutText } from './timeout-text.ts';

/** Why a step failed, in the words of whatever failed, for a person who reads the progress. */
export function reasonOf(error: unknown): string {
  if (error instanceof ActivityFailure) return reasonOf(error.cause);
  if (error instanceof TimeoutFailure) return timeoutText(error.timeoutType);
  if (error instanceof ApplicationFailure) return `${error.type ?? 'Error'}: ${error.message}`;
  if (error instanceof CancelledFailure) return 'It was cancelled.';
  if (error instanceof TerminatedFailure) return 'It was terminated.';
  return error instanceof Error ? error.message : String(error);
}

/** A config that cannot work: waiting for a `retry` would not mend it, so the run fails at once. */
export function isInvalidConfig(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === 'InvalidConfig';
}

/** The step's last attempt was ended by its worker's shutdown (the type is that of Temporal's core). */
export function isWorkerShutdown(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === 'WorkerShutdown';
}
