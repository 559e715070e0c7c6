import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

/**
 * Runs the workflow's body so that a failed activity fails the workflow with the activity's own type and words: `temporal
 * workflow describe` then says `InvalidConfig` and which field, instead of `Activity task failed`.
 */
export async function failuresThatEndARun<Result>(body: () => Promise<Result>): Promise<Result> {
  try {
    return await body();
  } catch (error) {
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
