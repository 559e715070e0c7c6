import { setTimeout as sleep } from 'node:timers/promises';
import type { Temporal } from './connect.ts';
import type { Display } from './display.ts';
import { type Ending, endingOf } from './ending.ts';
import { hasWorker, noWorkerHint } from './no-worker.ts';
import { patient } from './patient.ts';
import { hasEnded, readSnapshot } from './snapshot.ts';

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
  const seen = patient(temporal);
  let looksWithoutWorker = 0;
  while (!signal.aborted) {
    const snapshot = await seen(() => readSnapshot(temporal, name));
    if (snapshot !== undefined) {
      display.show(snapshot);
      if (hasEnded(snapshot.status)) return endingOf(temporal, name);
      if (snapshot.progress?.state === 'parked')
        return { kind: 'parked', waiting: snapshot.progress.waiting };
      looksWithoutWorker = snapshot.progress === null ? looksWithoutWorker + 1 : 0;
      if (hintWorker && looksWithoutWorker === 3 && !(await hasWorker(temporal))) display.say(noWorkerHint);
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
  return { kind: 'detached' };
}
