import { hostname } from 'node:os';
import {
  activityInfo,
  ApplicationFailure,
  cancellationSignal,
  CancelledFailure,
  heartbeat,
} from '@temporalio/activity';
import type { UsedSoFar } from '../algorithm/steering.ts';
import { codeHash, colloquyVersion } from '../config/installation.ts';
import type { Endpoints } from '../engines/endpoint/open.ts';
import { InvalidConfig } from '../config/faults.ts';
import { EngineBusy } from '../engines/errors.ts';
import type { GpuGate } from '../engines/gpu-gate.ts';
import { PromptTooLong } from '../engines/endpoint/refusals.ts';
import type { Trainers } from '../engines/trainer/open.ts';
import { ColloquyError } from '../errors.ts';
import { emit } from '../observe/events.ts';
import type { Tasks } from '../questions/open-task.ts';
import { OtherStore } from '../store/errors.ts';
import { findModel } from '../store/models.ts';
import type { IterationRecord } from '../store/records/rows.ts';
import { noteUsed } from '../store/records/result.ts';
import {
  experimentFiles,
  type Origin,
  type Store,
  storeIdentity,
  type StoreIdentity,
} from '../store/store.ts';
import { placeText, type RequestPlace } from '../text/figures.ts';

/** What a step knows about the activity that it runs as. */
export type Running = {
  /** Aborted by a cancellation, a pause, a reset, a timeout and the worker's shutdown. */
  readonly signal: AbortSignal;
  /** Sets what people see of the step while it runs. */
  readonly show: Show;
  /** What the attempt before this one showed last; undefined in the first attempt. */
  readonly shownBefore?: unknown;
  /** 1 is the first. */
  readonly attempt: number;
};

export type Step<Input, Output> = (
  input: Input,
  dependencies: Dependencies,
  running: Running,
) => Promise<Output>;

/** What an activity returns. Only the activity knows its attempt, and the workflow shows people how many there were. */
export type Attempted<Output> = { readonly attempt: number; readonly output: Output };

/**
 * Makes an activity from a step: binds its dependencies, sends heartbeats while it runs, turns its errors into Temporal's failures. The
 * activity's second argument is the store in which the experiment was begun; the steps before that have none. The third is only there with a budget.
 */
export function activity<Input, Output>(step: Step<Input, Output>, dependencies: Dependencies) {
  return async (input: Input, begunIn?: Origin, charge?: Charge): Promise<Attempted<Output>> => {
    const signal = cancellationSignal();
    const { attempt, heartbeatDetails: shownBefore } = activityInfo();
    const began = Date.now();
    try {
      const output = await heartbeating(async (show) => {
        if (begunIn !== undefined) await requireSameOrigin(begunIn, dependencies.store);
        return step(input, dependencies, { signal, show, shownBefore, attempt });
      }, shownBefore);
      return { attempt, output };
    } catch (error) {
      throw failureOf(error, signal);
    } finally {
      // A step that could not write it is finished all the same: the next one writes it.
      if (charge !== undefined)
        await chargeStep(charge, (Date.now() - began) / 1000, dependencies.store).catch(() => undefined);
    }
  };
}

/** For a step of an experiment with a budget: what was used when it was begun. */
export type Charge = { readonly experiment: string; readonly used: UsedSoFar };

/** Notes the time that an attempt took, also when it was stopped, so that it is not lost when the run is terminated. */
async function chargeStep({ experiment, used }: Charge, seconds: number, store: Store): Promise<void> {
  const { tokens, device_seconds, wall_seconds } = used;
  await noteUsed(experimentFiles(store, experiment), {
    tokens,
    device_seconds: device_seconds + seconds,
    wall_seconds: wall_seconds + seconds,
  });
}

/** Refuses another store. Only reports other code, because a deploy replaces workers one after another while experiments go on. */
async function requireSameOrigin(begunIn: Origin, store: Store): Promise<void> {
  await requireSameStore(begunIn, store);
  const here = codeHash();
  if (begunIn.code !== here) emit('step of other code', { begunWith: begunIn.code, here });
}

/** Far below the heartbeat timeout. The SDK sends fewer of them where that is enough. */
const everyMs = 1_000;

/** Adds to what the heartbeats show. What is finished is read from the store, never from a heartbeat. */
export type Show = (details: object) => void;

/**
 * Sends heartbeats while `work` runs, also while it waits for something else, so that a dead worker is noticed and a cancellation, a
 * pause or a reset arrives.
 *
 * @param shownBefore what the attempt before showed last. It stays until `work` shows something, so that it is not lost when this
 *   attempt ends early too.
 */
export async function heartbeating<Result>(
  work: (show: Show) => Promise<Result>,
  shownBefore?: unknown,
): Promise<Result> {
  let details: object | undefined;
  const beat = (): void => heartbeat(details ?? shownBefore ?? {});
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

/** Failure messages are kept in the history: the beginning says what happened, logs have the rest. */
const longestMessage = 2_000;

/** A step that this worker cannot do is soon offered again, because another worker may take it. */
const declinedForMs = 3_000;

/** The name of this worker in messages. It is the name that Temporal's own lists of workers show. */
const workerName = `The worker ${process.pid}@${hostname()}`;

/**
 * The failure that Temporal records for an error: its class's name as type, its own message, and whether trying again can help. The
 * error's class decides that (`retryable`); an error of no class of ours is tried again. How often and how long: workflows/temporal.ts.
 * What only this worker lacks (`workerLacksIt`) names the worker.
 */
export function failureOf(error: unknown, signal: AbortSignal): Error {
  // An AbortError would be reported as a plain cancellation even when the reason was a pause, a reset or a shutdown.
  if (signal.aborted)
    return signal.reason instanceof CancelledFailure ? signal.reason : new CancelledFailure('cancelled');
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const known = error instanceof Error ? error : new Error(String(error));
  const { name, message } = known;
  const declined = error instanceof ColloquyError && error.workerLacksIt;
  const nextRetryDelay = error instanceof EngineBusy ? error.retryAfterMs : declined ? declinedForMs : null;
  return ApplicationFailure.create({
    message: wellFormed(
      `${declined ? `${workerName}: ` : ''}${message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message}${placeOf(known)}`,
    ),
    type: name,
    ...(nextRetryDelay === null ? {} : { nextRetryDelay }),
    nonRetryable: error instanceof ColloquyError && !error.retryable,
  });
}

/** Without half characters, of which a cut can leave one: they cannot be sent to the server, and the step would never end there. */
function wellFormed(message: string): string {
  return message.replace(/[\ud800-\udfff]/gu, '\ufffd');
}

/** For each error, the first request that met it (several may wait for one adapter and get the same error), or a sentence about its cause. */
const places = new WeakMap<Error, RequestPlace | string>();

/** Does the work of one request, or work that a sentence describes. An error of the work is noted with this request or sentence. */
export async function atPlace<Result>(
  place: RequestPlace | string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && !places.has(error)) places.set(error, place);
    throw error;
  }
}

/** Where an error happened, as a line behind its message; nothing when it names the place itself or happened at no request. */
export function placeOf(error: Error): string {
  const place = places.get(error);
  if (place === undefined || error instanceof PromptTooLong || error instanceof InvalidConfig) return '';
  return `\n${typeof place === 'string' ? place : placeText(place)}`;
}

/** What activities have an effect on. The worker passes the real ones. */
export type Dependencies = {
  readonly store: Store;
  /** What answers for an experiment's base model and its fine-tunes. */
  readonly endpoints: Endpoints;
  /** What fine-tunes. */
  readonly trainers: Trainers;
  readonly tasks: Tasks;
  /** Keeps training and answers from using the GPU at the same time. */
  readonly gate: GpuGate;
  /** Whether runs that begin here are to set Temporal's search attributes. */
  readonly searchAttributes: boolean;
};

/** What took part: Colloquy, Node, and the libraries that the newest fine-tune names in its manifest. */
export async function versions(
  store: Store,
  iterations: readonly IterationRecord[],
): Promise<Record<string, string>> {
  const newest = iterations
    .flatMap(({ fineTunes }) => fineTunes)
    .findLast(({ model }) => model !== null)?.model;
  const model = newest ? await findModel(store, newest) : null;
  return { colloquy: colloquyVersion(), node: process.versions.node, ...model?.versions };
}

/** Whether the experiment is stopped; otherwise only this attempt ends: its worker shuts down, or it is paused or begun again. */
export function isCancelled({ reason }: AbortSignal): boolean {
  return !(reason instanceof CancelledFailure) || reason.message === 'CANCELLED';
}

/**
 * Makes sure that a step has the store in which its experiment was begun. A store that was emptied, or replaced by another one at the same
 * path of the same host, counts as the same: what is missing there is made again.
 *
 * @throws OtherStore
 */
export async function requireSameStore(begunIn: StoreIdentity, store: Store): Promise<void> {
  const here = await storeIdentity(store);
  if (here.id === begunIn.id || (here.host === begunIn.host && here.path === begunIn.path)) return;
  throw new OtherStore(begunIn, here);
}
