import { activityInfo, cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Dependencies } from './dependencies.ts';
import { failureOf } from './failures.ts';

/** What a step knows of the activity that it runs as. */
export type Running = {
  /** Aborted by a cancellation, a pause, a reset, a timeout and the worker's shutdown. */
  readonly signal: AbortSignal;
  /** Sets what people see of the step while it runs. */
  readonly show: Show;
};

export type Step<Input, Output> = (
  input: Input,
  dependencies: Dependencies,
  running: Running,
) => Promise<Output>;

/** What an activity gives. Only it knows its attempt, and the workflow tells people how many were needed. */
export type Attempted<Output> = { readonly attempt: number; readonly output: Output };

/** Makes an activity of a step: its dependencies are bound, it beats while it runs, its errors become Temporal's failures. */
export function activity<Input, Output>(step: Step<Input, Output>, dependencies: Dependencies) {
  return async (input: Input): Promise<Attempted<Output>> => {
    const signal = cancellationSignal();
    try {
      const output = await heartbeating((show) => step(input, dependencies, { signal, show }));
      return { attempt: activityInfo().attempt, output };
    } catch (error) {
      throw failureOf(error, signal);
    }
  };
}

/** Far below the heartbeat timeout; the SDK sends fewer where that suffices. */
const everyMs = 1_000;

/** Sets what a heartbeat shows to people. What is done is read from disk, never from a heartbeat. */
export type Show = (details: object) => void;

/**
 * Beats while `work` runs, however long it waits for something else, so that a dead worker is noticed and a cancellation, a pause or
 * a reset arrives.
 */
export async function heartbeating<Result>(work: (show: Show) => Promise<Result>): Promise<Result> {
  let details: object = {};
  const beat = (): void => heartbeat(details);
  beat();
  const timer = setInterval(beat, everyMs);
  try {
    return await work((shown) => {
      details = { ...details, ...shown };
    });
  } finally {
    clearInterval(timer);
  }
}
