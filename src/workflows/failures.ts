import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ContinueAsNew,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';

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

/** An artifact is damaged or gone: `remakingDamaged` makes it again. The types are the names of the store's errors. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return (
    cause instanceof ApplicationFailure &&
    (cause.type === 'ArtifactDamaged' || cause.type === 'ArtifactMissing')
  );
}

/** The step's last attempt was ended by its worker's shutdown (the type is that of Temporal's core). */
export function isWorkerShutdown(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === 'WorkerShutdown';
}

/** What a step's timeout means. Of the types of Temporal's timeouts only two are set: see activity-proxies.ts. */
export function timeoutText(type: string | undefined): string {
  return type === 'HEARTBEAT'
    ? 'Its worker gave no sign of life for 20 s: it died, was killed, or cannot reach Temporal.'
    : `It took longer than a step may take (${type ?? 'timeout'}): it hangs.`;
}

/**
 * Runs the workflow's body so that a failed activity fails the workflow with the activity's own type and words: `temporal
 * workflow describe` then says `InvalidConfig` and which field, instead of `Activity task failed`.
 *
 * @param onFailure is called with each failure, for the progress to show
 */
export async function failuresThatEndARun<Result>(
  onFailure: (error: unknown) => void,
  body: () => Promise<Result>,
): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    onFailure(error);
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) {
      throw ApplicationFailure.nonRetryable(
        error.cause.message,
        error.cause.type,
        ...(error.cause.details ?? []),
      );
    }
    throw error;
  }
}
