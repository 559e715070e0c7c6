import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { EngineBusy } from '../engines/errors.ts';
import { ColloquyError } from '../errors.ts';

/** Failure messages are kept in the history: the beginning says what happened, logs have the rest. */
const longestMessage = 2_000;

/**
 * The failure that Temporal records for an error: its class's name as type, its own message, and whether trying again can help. The
 * error's class decides that (`retryable`); an error of no class of ours is tried again. How often and how long: workflows/activity-proxies.ts.
 */
export function failureOf(error: unknown, signal: AbortSignal): Error {
  // An AbortError would be reported as a plain cancellation even when the reason was a pause, a reset or a shutdown.
  if (signal.aborted)
    return signal.reason instanceof CancelledFailure ? signal.reason : new CancelledFailure('cancelled');
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return ApplicationFailure.create({
    message: message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message,
    type: name,
    ...(error instanceof EngineBusy ? { nextRetryDelay: error.retryAfterMs } : {}),
    nonRetryable: error instanceof ColloquyError && !error.retryable,
  });
}
