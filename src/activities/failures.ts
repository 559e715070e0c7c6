import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { EngineBusy } from '../engines/errors.ts';
import { FineTuneFailed } from '../engines/trainer/errors.ts';

/**
 * Errors that come back however often the step is tried: a person has to do something first. All others are retried. This list is
 * the only place where that is decided; how often and how long, in workflows/activity-proxies.ts.
 */
const permanent = new Set([
  'InvalidConfig',
  'InvalidTaskFile',
  'UnreadableGoldAnswers',
  'ToolsMissing',
  'ProcessNotStarted',
  'ApiKeyMissing',
  'EngineRefused',
  'PromptTooLong',
  'ModelNotServed',
  'ModelFolderMissing',
  'AdaptersUnsupported',
  'AdapterWithoutEffect',
  'EmbeddingsUnsupported',
  'ArtifactDamaged',
  'ArtifactMissing',
  'SeriesDamaged',
  'DiskFull',
  'StoreNotWritable',
]);

/** Failure messages are kept in the history: the beginning says what happened, logs have the rest. */
const longestMessage = 2_000;

/** What Temporal is told of an error: its class's name as type, its own words, and whether trying again can help. */
export function failureOf(error: unknown, signal: AbortSignal): Error {
  // An AbortError would be reported as a plain cancellation even when the reason was a pause, a reset or a shutdown.
  if (signal.aborted)
    return signal.reason instanceof CancelledFailure ? signal.reason : new CancelledFailure('cancelled');
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  // What the trainer can name comes back: the same data, the same settings, the same memory. These two may pass.
  const repeats = error instanceof FineTuneFailed && error.kind !== 'internal' && error.kind !== 'in_use';
  return ApplicationFailure.create({
    message: message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message,
    type: name,
    ...(error instanceof EngineBusy ? { nextRetryDelay: error.retryAfterMs } : {}),
    nonRetryable: permanent.has(name) || repeats,
  });
}
