/** Which of several servers answer now, and do they have the same model? A server that fails is left out, and looked at again later. */
import { hash } from 'node:crypto';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { emit } from '../../observe/events.ts';
import { count, listed } from '../../text/figures.ts';
import { abortable } from '../waiting.ts';
import { EngineClosed, EngineUnreachable } from '../errors.ts';
import { type CanaryAnswer, distance } from './protocol.ts';
import type { Endpoint } from './endpoint.ts';
import type { Shortcoming } from './examination.ts';
import { nextLookMs, noAnswerReason } from './outages.ts';

/** One of several servers that answer for the same models. */
export interface Replica extends Endpoint {
  readonly url: string;
  /** Whether the server answers now. */
  isThere(signal: AbortSignal): Promise<boolean>;
  /** @throws ModelNotServed, or the chat client's errors */
  identify(signal: AbortSignal): Promise<Identity>;
}

/** What the replicas of a model have in common. */
export type Identity = {
  /** The name under which the base model answers, when it differs from the one that was asked. */
  readonly answeredAs: string | null;
  /** The length of the context in tokens; null when the server does not say. */
  readonly context: number | null;
  /** The base model's answer to the canary request; null when the server refuses the request. */
  readonly canary: CanaryAnswer | null;
};

export interface ReplicaStates {
  /** The servers that answer. The first one gets the requests of this conversation, and stays the first as long as it answers. */
  inOrder(conversation: string): readonly Replica[];
  isHere(replica: Replica): boolean;
  /**
   * The replica has the same model as the others.
   *
   * @throws ReplicasDiffer, ModelNotServed, or the chat client's errors
   */
  prove(replica: Replica, signal: AbortSignal): Promise<Identity>;
  /** From now on the others get its requests. It is looked at again in half a second, and then less and less often until `worked`. */
  leaveOut(replica: Replica, error: Error): void;
  worked(replica: Replica): void;
  /** Does the work of a request. A server that did none for a moment is proved again: it may have been started again in another way. */
  during<Result>(replica: Replica, work: () => Promise<Result>): Promise<Result>;
  /** It is proved again before its next request, and compared with what it was. */
  distrust(replica: Replica): void;
  /** Looks at those that are left out. @throws why they are left out, when all of them answer */
  lookAtAll(): Promise<boolean>;
  /** Why no server can get a request: EngineUnreachable when one of them may come back. */
  absence(): Error;
  /** All are proved again before their next request, and are then compared only with one another. */
  forget(): void;
  /** The identities of the replicas that have been proved. */
  identities(): ReadonlyMap<Replica, Identity>;
  /** Why a replica is left out; undefined when it is not. */
  leftOut(replica: Replica): Error | undefined;
  close(): void;
}

type State = {
  /** How many requests it has. While it has one, the request fails when the server ends. */
  requests: number;
  /** Since when it has none. Milliseconds since 1970. */
  idleSince: number;
  proof?: Promise<Identity> | undefined;
  identity?: Identity | undefined;
  away?: Error | undefined;
  looks: number;
  /** Milliseconds since 1970. */
  nextLook: number;
  looking?: Promise<boolean> | undefined;
};

export function createReplicaStates(replicas: readonly Replica[]): ReplicaStates {
  const closing = new AbortController();
  const newState = (): State => ({ requests: 0, idleSince: Infinity, looks: 0, nextLook: 0 });
  const states = new Map(replicas.map((replica) => [replica, newState()]));
  const stateOf = (replica: Replica): State => states.get(replica) ?? newState();

  async function identify(replica: Replica, state: State): Promise<Identity> {
    for (let again = true; ; again = false) {
      const identity = await replica.identify(closing.signal);
      const differs = differing(replica, identity);
      if (differs === undefined) {
        state.identity = identity;
        return identity;
      }
      // Another worker's adapter may have been in the batch of a server that mixes them up (proof.ts).
      if (!again) throw differs;
    }
  }

  function differing(replica: Replica, identity: Identity): ReplicasDiffer | undefined {
    // First with itself: one that has changed is left out, and the others go on.
    const itself = [replica, stateOf(replica)] as const;
    for (const [other, { identity: known }] of [itself, ...states]) {
      const greatest = other === replica ? noticeable : greatestDistance;
      const how = known === undefined ? null : difference(identity, known, greatest);
      if (how !== null) return new ReplicasDiffer(replica.url, other.url, how);
    }
    return undefined;
  }

  function leaveOut(replica: Replica, error: Error): void {
    const state = stateOf(replica);
    const isNews =
      noAnswerReason(error) === null ? state.away?.message !== error.message : state.away === undefined;
    if (isNews) emit('server left out', { url: replica.url, reason: error.message });
    state.away = error;
    state.proof = undefined;
    // Many requests fail at once.
    if (Date.now() < state.nextLook) return;
    state.nextLook = Date.now() + nextLookMs(state.looks);
    state.looks += 1;
  }

  async function look(replica: Replica, state: State): Promise<boolean> {
    try {
      if (!(await replica.isThere(closing.signal))) {
        leaveOut(replica, state.away ?? silence(replica, 'no answer'));
        return false;
      }
      const proof = identify(replica, state);
      await proof;
      state.proof = proof;
      state.away = undefined;
      emit('server back', { url: replica.url });
      return true;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (!closing.signal.aborted) leaveOut(replica, error);
      return false;
    } finally {
      state.looking = undefined;
    }
  }

  function isHere(replica: Replica): boolean {
    const state = stateOf(replica);
    if (state.away === undefined) return true;
    if (Date.now() >= state.nextLook) state.looking ??= look(replica, state);
    return false;
  }

  function absence(): Error {
    const errors = [...states.values()].flatMap(({ away }) => away ?? []);
    const reasons = errors.flatMap((error) => noAnswerReason(error) ?? []);
    const [error] = errors;
    // This is a new error, because the request that gets it has ended no server.
    return reasons.length > 0 || error === undefined
      ? silence(replicas[0], reasons[0] ?? 'no answer')
      : error;
  }

  return {
    isHere,
    leaveOut,
    inOrder: (conversation) =>
      replicas
        .filter(isHere)
        .map((replica) => ({ replica, place: hash('sha256', `${replica.url}\n${conversation}`) }))
        .toSorted((a, b) => (a.place < b.place ? -1 : 1))
        .map(({ replica }) => replica),
    async prove(replica, signal) {
      const state = stateOf(replica);
      if (state.requests === 0 && Date.now() - state.idleSince > trustedForMs) {
        state.proof = undefined;
        state.idleSince = Infinity;
      }
      // Many requests begin together, so the signal of one of them does not end the proof.
      const proof = (state.proof ??= identify(replica, state));
      proof.catch(() => {
        if (state.proof === proof) state.proof = undefined;
      });
      return abortable(proof, signal);
    },
    worked: (replica) => (stateOf(replica).looks = 0),
    async during(replica, work) {
      const state = stateOf(replica);
      state.requests += 1;
      try {
        return await work();
      } finally {
        state.requests -= 1;
        state.idleSince = Date.now();
      }
    },
    distrust: (replica) => (stateOf(replica).proof = undefined),
    async lookAtAll() {
      const looks = [...states].map(async ([replica, state]) =>
        state.away === undefined ? true : (state.looking ??= look(replica, state)),
      );
      if ((await Promise.all(looks)).some(Boolean)) return true;
      const error = absence();
      if (noAnswerReason(error) === null) throw error;
      return false;
    },
    absence,
    forget() {
      for (const state of states.values())
        Object.assign(state, { proof: undefined, identity: undefined, away: undefined, looks: 0 });
    },
    identities: () =>
      new Map([...states].flatMap(([replica, { identity }]) => (identity ? [[replica, identity]] : []))),
    leftOut: (replica) => stateOf(replica).away,
    close: () => closing.abort(new EngineClosed(replicas.map(({ url }) => url).join(', '))),
  };
}

/** How long a server without requests keeps its proof. No server loads a model in less. Milliseconds. */
const trustedForMs = 500;

function silence(replica: Replica | undefined, reason: string): EngineUnreachable {
  return new EngineUnreachable(replica?.url ?? '', reason);
}

/**
 * How far the log-probabilities of the answers of two servers with the same weights may be apart, in nats. Other cards, precisions and versions
 * round differently.
 */
const greatestDistance = 0.5;

/** How two servers that should have the same model differ; null when they may have the same model. */
function difference(a: Identity, b: Identity, greatest: number): string | null {
  if (a.answeredAs !== b.answeredAs)
    return `one answers as ${a.answeredAs ?? 'the model that was asked'}, the other as ${b.answeredAs ?? 'the model that was asked'}`;
  const apart = distanceOf(a, b);
  return apart > greatest
    ? `the probabilities of the tokens of a short answer differ by ${apart.toFixed(2)} nats, which is too much for the same weights`
    : null;
}

/** The distance in nats; 0 for servers without log-probabilities, because words alone prove nothing. */
function distanceOf({ canary: a }: Identity, { canary: b }: Identity): number {
  return a === null || b === null || a.tokens === null || b.tokens === null ? 0 : distance(a, b);
}

/** Above this distance in nats there is a warning, and a server that was started again counts as having other weights than before. */
const noticeable = 0.1;

/** The differences between servers with the same model that are only warnings. */
export function differencesOf(identities: ReadonlyMap<Replica, Identity>): Shortcoming[] {
  const contexts = contextsOf(identities);
  const unequal = contexts.some(({ context }) => context !== contexts[0]?.context);
  const lengths = contexts.map(({ url, context }) => `${count(context)} tokens at ${url}`);
  const found: Shortcoming[] = [];
  if (unequal)
    found.push({
      says: `The contexts of the servers have different lengths: ${listed(lengths)}. The shortest one counts for all of them.`,
      remedy: 'Start them with the same context (vLLM: --max-model-len).',
    });
  const [first, ...others] = identities;
  for (const [{ url }, identity] of others) {
    const apart = first === undefined ? 0 : distanceOf(identity, first[1]);
    if (first === undefined || apart <= noticeable) continue;
    found.push({
      says:
        `${url} and ${first[0].url} give the tokens of a short answer different probabilities: they are ${apart.toFixed(2)} nats apart. ` +
        'They have other cards, precisions or versions, or other weights. A seed may give another answer at each of them.',
      remedy: 'Start all of them alike, on cards of one kind, if the experiment has to be repeatable.',
    });
  }
  return found;
}

/** The contexts that are known, the shortest first. */
export function contextsOf(
  identities: ReadonlyMap<Replica, Identity>,
): readonly { readonly url: string; readonly context: number }[] {
  return [...identities]
    .flatMap(([{ url }, { context }]) => (context === null ? [] : [{ url, context }]))
    .toSorted((a, b) => a.context - b.context);
}

/** Two servers of one endpoint answer with different models under the same name. */
export class ReplicasDiffer extends ColloquyError {
  override name = 'ReplicasDiffer' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Whether a server differs from what it was itself. */
  readonly hasChanged: boolean;

  constructor(url: string, other: string, how: string) {
    super(
      url === other
        ? `${url} does not have the same model as before: ${how}. Have it serve that model again, or take it out of \`url\` of the endpoint.`
        : `${url} does not have the same model as ${other}, which the same endpoint names: ${how}. ` +
            'Have both serve the same model, or take one of them out of `url` of the endpoint.',
    );
    this.hasChanged = url === other;
  }
}
