import { ActivityFailure, ApplicationFailure, ContinueAsNew } from '@temporalio/workflow';

/**
 * Runs the workflow's body so that a failed activity fails the workflow with the activity's own type and words: `temporal
 * workflow describe` then says `InvalidConfig` and which field, instead of `Activity task failed`.
 *
 * @param told is given each failure, for the progress to show
 */
export async function failuresThatEndARun<Result>(
  told: (error: unknown) => void,
  body: () => Promise<Result>,
): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    told(error);
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
