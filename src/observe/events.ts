/**
 * Which events do engines and activities emit while they work, and to which step does an event belong? Logs, metrics and traces
 * listen to these events when the environment asks for them. An event without listeners costs one check.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Channel, channel } from 'node:diagnostics_channel';
import type { Context } from '@temporalio/activity';

/** The events by name, with the details of each. */
export type Events = {
  /** A supervised engine serves its model. `starts` counts from 1: more says that it died before. */
  'engine started': { readonly model: string; readonly pid: number; readonly starts: number };
  'engine died': { readonly model: string; readonly how: string };
  'adapter loaded': { readonly adapter: string };
  /** A server gives no answer, and is waited for; `answers again` when it does. */
  'no answer': { readonly url: string; readonly since: Date; readonly until: Date; readonly reason: string };
  'answers again': { readonly url: string; readonly since: Date };
  /** Another server of the endpoint gets the requests of this one, until `server back`. */
  'server left out': { readonly url: string; readonly reason: string };
  'server back': { readonly url: string };
  /** A server answers the base model with an adapter when both are asked together: from now on they take turns there. */
  'base model beside adapters': { readonly url: string; readonly model: string; readonly answeredBy: string };
  /** A step that failed, or whose worker died, is begun once more. */
  'step retried': StepContext;
  /** `kind` is the name of its activity. */
  'step finished': StepContext & { readonly kind: string };
  /** A worker does a step of an experiment that was begun by a worker with other code: hashes of both. */
  'step of other code': { readonly begunWith: string; readonly here: string };
  /** A task has questions that the experiment does not ask. `what` says which and why. */
  'questions left out': {
    readonly experiment: string;
    readonly what: string;
    readonly count: number;
    readonly examples: readonly string[];
  };
  /** An endpoint has answered one request for a debate. */
  answer: {
    readonly endpoint: string;
    readonly speaker: string;
    readonly promptTokens: number;
    readonly completionTokens: number;
  };
  /** A shard's questions were answered: `asked` of its answers by the endpoint, the others by its journal. */
  'shard answered': Span & { readonly endpoint: string; readonly answers: number; readonly asked: number };
  /** How the numbers of requests that are in flight to an endpoint, and that wait to be sent, have changed (below 0: fewer). */
  queue: { readonly endpoint: string; readonly inFlight: number; readonly waiting: number };
  /** Work has passed the gate that keeps answers and fine-tunes from sharing the GPU. */
  'gate passed': Span & { readonly kind: 'shared' | 'exclusive' };
  'fine-tune step': FineTune & {
    readonly step: number;
    readonly totalSteps: number;
    readonly loss: number | null;
    readonly tokensPerSecond: number | null;
  };
  /** A fine-tune did not have enough memory, and goes on with `rows` at once on a device. A step has as many rows as before. */
  'micro-batch': FineTune & {
    readonly step: number;
    readonly rows: number;
    readonly gradient_checkpointing: boolean;
  };
  /** A server has accepted a fine-tune and not begun it: its job, in which state it has been since when, and until when it may be. */
  'fine-tune waits': FineTune & {
    readonly job: string;
    readonly state: string;
    readonly since: Date;
    readonly until: Date;
  };
  /** A fine-tune is done, and the file of its rows could not be removed at its server. */
  'file left at a server': { readonly url: string; readonly file: string; readonly reason: string };
  checkpoint: FineTune & { readonly step: number };
  'fine-tune ended': FineTune & Span & { readonly steps: number; readonly tokens: number };
};

/** Milliseconds since 1970. */
export type Span = { readonly beganAt: number; readonly endedAt: number };
/** Whose fine-tune it is. */
export type FineTune = {
  readonly experiment: string;
  readonly iteration: number;
  readonly agent: number;
  readonly role: string;
};

/** Calls the listeners of an event at once, in the emitter's own async context. Their errors do not reach the emitter. */
export function emit<Name extends keyof Events>(name: Name, details: Events[Name]): void {
  const events = channelOf(name);
  if (events.hasSubscribers) events.publish(details);
}

/**
 * Calls `listener` for each event of that name, for as long as the process lives.
 *
 * @returns ends that
 */
export function onEvent<Name extends keyof Events>(
  name: Name,
  listener: (details: Events[Name]) => void,
): () => void {
  // Only `emit` publishes on these channels.
  const listen = (details: unknown): void => listener(details as Events[Name]);
  channelOf(name).subscribe(listen);
  return () => {
    channelOf(name).unsubscribe(listen);
  };
}

const channels = new Map<string, Channel>();

function channelOf(name: string): Channel {
  const known = channels.get(name);
  if (known !== undefined) return known;
  const made = channel(`colloquy:${name}`);
  channels.set(name, made);
  return made;
}

/** Which step a line of the log, a figure or a span belongs to. What the step is not about is left out. */
export type StepContext = {
  readonly experiment: string;
  /** The activity's id. */
  readonly step: string;
  readonly attempt: number;
  readonly iteration?: number;
  readonly split?: string;
  readonly shard?: number;
  readonly agent?: number;
  readonly role?: string;
};

/** The step that the calling code is part of; undefined outside of steps. */
export function currentStep(): StepContext | undefined {
  return steps.getStore();
}

/** Runs `work` as part of a step. */
export function withinStep<Result>(step: StepContext, work: () => Result): Result {
  return steps.run(step, work);
}

/** What an activity and its input say of the step that it is. */
export function stepOf({ info }: Context, input: unknown): StepContext {
  const given: Readonly<Record<string, unknown>> =
    typeof input === 'object' && input !== null ? { ...input } : {};
  return {
    ...Object.fromEntries(parts.filter((part) => part in given).map((part) => [part, given[part]])),
    experiment: info.workflowExecution?.workflowId ?? '',
    step: info.activityId,
    attempt: info.attempt,
  };
}

const parts = ['iteration', 'split', 'shard', 'agent', 'role'];
const steps = new AsyncLocalStorage<StepContext>();
