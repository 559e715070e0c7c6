import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, TerminatedFailure } from '@temporalio/common';
import { type ExperimentResult, experimentResultSchema } from '../store/experiment-result.ts';
import type { Waiting } from '../workflows/progress.ts';
import type { Temporal } from './connect.ts';
import type { Display } from './display.ts';
import { hasWorker, noWorkerHint } from './no-worker.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import { TemporalNotReachable } from './temporal-not-reachable.ts';

/** How following an experiment ended. */
export type Ending =
  | { readonly kind: 'finished'; readonly result: ExperimentResult }
  | { readonly kind: 'failed'; readonly reason: string; readonly type: string }
  | { readonly kind: 'parked'; readonly waiting: readonly Waiting[] }
  /** The signal was aborted: the experiment goes on without us. */
  | { readonly kind: 'detached' };

export type FollowOptions = {
  readonly display: Display;
  readonly signal: AbortSignal;
  /** Whether somebody else has to see to the workers, and is to be told when there is none. */
  readonly hintWorker: boolean;
  /** Milliseconds between two looks. */
  readonly everyMs?: number;
};

/**
 * Shows an experiment's progress until it ends, parks, or the signal is aborted. A server that goes away is waited for, a minute.
 *
 * @throws ExperimentNotFound, TemporalNotReachable
 */
export async function followExperiment(
  temporal: Temporal,
  name: string,
  { display, signal, hintWorker, everyMs = 1_000 }: FollowOptions,
): Promise<Ending> {
  let silentSince: number | undefined;
  let looksWithoutWorker = 0;
  while (!signal.aborted) {
    const snapshot = await lookAt(temporal, name);
    if (snapshot === undefined) {
      silentSince ??= Date.now();
      if (Date.now() - silentSince > 60_000)
        throw new TemporalNotReachable(temporal.address, 'no answer for a minute');
    } else {
      silentSince = undefined;
      display.show(snapshot);
      if (!['RUNNING', 'CONTINUED_AS_NEW', 'PAUSED'].includes(snapshot.status))
        return endingOf(temporal, name);
      if (snapshot.progress?.state === 'parked')
        return { kind: 'parked', waiting: snapshot.progress.waiting };
      looksWithoutWorker = snapshot.progress === null ? looksWithoutWorker + 1 : 0;
      if (hintWorker && looksWithoutWorker === 3 && !(await hasWorker(temporal))) display.say(noWorkerHint);
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
  return { kind: 'detached' };
}

/** Undefined when the server does not answer at the moment. */
async function lookAt(temporal: Temporal, name: string): Promise<Snapshot | undefined> {
  try {
    return await readSnapshot(temporal, name);
  } catch (error) {
    if (isGrpcServiceError(error) || isGrpcServiceError(causeOf(error))) return undefined;
    throw error;
  }
}

async function endingOf({ client }: Temporal, name: string): Promise<Ending> {
  try {
    const result: unknown = await client.workflow.getHandle(name).result();
    return { kind: 'finished', result: experimentResultSchema.parse(result) };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      return { kind: 'failed', reason: cause.message, type: cause.type ?? 'Error' };
    }
    const type = cause instanceof TerminatedFailure ? 'Terminated' : (cause?.name ?? 'Failed');
    return { kind: 'failed', reason: cause?.message || error.message, type };
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
