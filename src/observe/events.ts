/**
 * What engines and activities report of their work while they do it. Whoever wants to know listens: logs, metrics and traces do, where
 * they are wanted. An event without a listener costs one look.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Channel, channel } from 'node:diagnostics_channel';
import type { Context } from '@temporalio/activity';

/** The events by name, with their fields. */
export type Reports = {
  /** A supervised engine serves its model. `starts` counts from 1: more says that it died before. */
  'engine started': { readonly model: string; readonly pid: number; readonly starts: number };
  'engine died': { readonly model: string; readonly how: string };
  'adapter loaded': { readonly adapter: string };
  /** A step that failed, or whose worker died, is begun once more. */
  'step retried': StepContext;
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
  /** So many requests more, or fewer when below 0, are sent to an endpoint and not answered, or wait to be sent. */
  queue: { readonly endpoint: string; readonly inFlight: number; readonly waiting: number };
  /** Work has passed the gate that keeps answers and fine-tunes from sharing the GPU. */
  'gate passed': Span & { readonly kind: 'shared' | 'exclusive' };
  'fine-tune step': FineTune & {
    readonly step: number;
    readonly totalSteps: number;
    readonly loss: number | null;
    readonly tokensPerSecond: number | null;
  };
  checkpoint: FineTune & { readonly step: number };
  'fine-tune ended': FineTune & Span & { readonly steps: number; readonly tokens: number };
};

/** Milliseconds since 1970. */
type Span = { readonly beganAt: number; readonly endedAt: number };
/** Whose fine-tune it is. */
export type FineTune = {
  readonly experiment: string;
  readonly iteration: number;
  readonly agent: number;
  readonly role: string;
};

/** Calls the listeners of an event at once, in the reporter's own async context; what they throw does not come back. */
export function emit<Name extends keyof Reports>(name: Name, details: Reports[Name]): void {
  const reports = channelOf(name);
  if (reports.hasSubscribers) reports.publish(details);
}

/** Calls `listener` for each report of that name, for as long as the process lives. */
export function onReport<Name extends keyof Reports>(
  name: Name,
  listener: (details: Reports[Name]) => void,
): void {
  // Only `report` publishes on these channels.
  channelOf(name).subscribe((details) => listener(details as Reports[Name]));
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
