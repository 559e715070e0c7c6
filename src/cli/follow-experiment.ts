import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { Temporal } from './connect.ts';
import type { Display } from './display.ts';
import { type Ending, endingOf } from './ending.ts';
import { hasWorker, noWorkerHint } from './no-worker.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import { TemporalNotReachable } from './temporal-not-reachable.ts';

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

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
