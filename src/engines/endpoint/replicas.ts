/**
 * One endpoint of several servers with the same model. The requests of a conversation go to one server, which has its beginning in its cache, as
 * long as that server answers. Each request has its seed, so it does not matter which server answers.
 */
import type { Message } from '../../algorithm/agents.ts';
import { type Model, weightsOf } from '../../store/models.ts';
import {
  AdapterWithoutEffect,
  AnsweredByAnother,
  EngineAnswerInvalid,
  EngineBusy,
  EngineFailed,
  EngineRefused,
  EngineUnreachable,
  ModelNotServed,
  OtherWeights,
  PromptLogprobsUnsupported,
} from '../errors.ts';
import { AdapterNotFound, AdapterNotLoaded, ContextFull } from './refusals.ts';
import type { ChatCompletion } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { sharedOrNamed, type Shortcoming } from './examination.ts';
import { createOutages, noAnswerReason } from './outages.ts';
import {
  contextsOf,
  createReplicaStates,
  differencesOf,
  type Replica,
  ReplicasDiffer,
} from './replica-states.ts';
import { createRequestSlots } from '../waiting.ts';
import type { OnBusy } from './server-requests.ts';

/**
 * @param replicas servers of the same kind; none of them waits when it gets no answer
 * @param patienceMs how long to wait when none of them answers. Milliseconds
 */
export function createReplicas(
  replicas: readonly [Replica, Replica, ...Replica[]],
  patienceMs: number,
): Endpoint {
  const urls = replicas.map(({ url }) => url);
  const states = createReplicaStates(replicas);
  const outages = createOutages({ url: urls.join(', '), patienceMs, isThere: () => states.lookAtAll() });

  /**
   * Has one of the replicas do `work`: the one of the conversation, or else another.
   *
   * @param request all that is sent, which tells one request from another
   */
  function ask<Result>(
    conversation: string,
    request: () => string,
    signal: AbortSignal,
    onBusy: OnBusy | undefined,
    work: (replica: Replica) => Promise<Result>,
  ): Promise<Result> {
    const failed = new Map<Replica, Error>();
    let noAnswers = 0;
    const isLeft = (replica: Replica): boolean => !failed.has(replica) && states.isHere(replica);

    async function send(): Promise<Result> {
      for (const replica of states.inOrder(conversation).filter(isLeft)) {
        try {
          await states.prove(replica, signal);
          const result = await states.during(replica, () =>
            replica.slots.use(async () => {
              // While it waited for its slot, the server may have ended.
              await states.prove(replica, signal);
              return work(replica);
            }, signal),
          );
          states.worked(replica);
          for (const [other, error] of failed) states.leaveOut(other, error);
          return result;
        } catch (error) {
          signal.throwIfAborted();
          if (!isOfTheServer(error)) throw error;
          if (noAnswerReason(error) === null) {
            failed.set(replica, error);
            continue;
          }
          noAnswers += 1;
          // A server may close a connection that was kept open, although it still answers.
          const broke = error instanceof EngineUnreachable && error.brokeAtOnce;
          // It may be another process by now.
          states.distrust(replica);
          if (!broke || !(await replica.isThere(signal))) states.leaveOut(replica, error);
          throw error;
        }
      }
      const [error] = failed.values();
      throw error ?? states.absence();
    }

    return outages.outlast(
      request,
      signal,
      send,
      (outage) => onBusy?.(outage.until, outage),
      () => noAnswers < replicas.length && replicas.some(isLeft),
    );
  }

  /**
   * Has each replica that answers do `work`, and leaves out those that cannot.
   *
   * @param strict whether it is an error when one of them answers and cannot: at the beginning, when a person can still mend it
   */
  async function atEach<Result>(
    signal: AbortSignal,
    strict: boolean,
    work: (replica: Replica) => Promise<Result>,
  ): Promise<ReadonlyMap<Replica, Result>> {
    const done = new Map<Replica, Result>();
    const failed = new Map<Replica, Error>();
    await Promise.all(
      replicas
        .filter((replica) => states.isHere(replica))
        .map(async (replica) => {
          try {
            await states.prove(replica, signal);
            done.set(replica, await states.during(replica, () => work(replica)));
          } catch (error) {
            signal.throwIfAborted();
            if (!isOfTheServer(error) || (strict && noAnswerReason(error) === null)) throw error;
            failed.set(replica, error);
          }
        }),
    );
    const errors = [...failed.values()];
    const fault = errors.find((error) => noAnswerReason(error) === null);
    for (const [replica, error] of failed)
      if (done.size > 0 || noAnswerReason(error) !== null) states.leaveOut(replica, error);
    if (done.size === 0) throw fault ?? errors[0] ?? states.absence();
    return done;
  }

  /** With servers of unequal contexts, an answer counts only when each of them could have given it. @throws ContextFull */
  function requireRoom({ promptTokens, completionTokens }: ChatCompletion, maxTokens: number): void {
    const [shortest] = contextsOf(states.identities());
    if (shortest === undefined || promptTokens === 0) return;
    const room = Math.max(0, shortest.context - promptTokens);
    if (completionTokens > room)
      throw new ContextFull(shortest.url, { promptTokens, taken: room, maxTokens });
  }

  const [{ servesForms, resident, residentWhole }] = replicas;
  return {
    servesForms,
    resident,
    residentWhole,
    // They have devices of their own.
    sharesDevice: async () => false,
    yieldDevice: async () => undefined,
    takeDevice: async () => undefined,
    serve: (models, signal, onBusy) =>
      outages.outlast(
        () => JSON.stringify(models.map(weightsOf)),
        signal,
        async () => void (await atEach(signal, false, (replica) => replica.serve(models, signal, onBusy))),
        (outage) => onBusy?.(outage.until, outage),
      ),
    chat: (model, request, signal, onBusy) =>
      ask(
        conversationOf(model, request),
        () => JSON.stringify([weightsOf(model), request]),
        signal,
        onBusy,
        async (replica) => {
          const completion = await replica.chat(model, request, signal, onBusy);
          requireRoom(completion, request.max_tokens);
          return completion;
        },
      ),
    score: (model, request, signal, onBusy) =>
      ask(
        conversationOf(model, request),
        () => JSON.stringify([weightsOf(model), request]),
        signal,
        onBusy,
        (replica) => replica.score(model, request, signal, onBusy),
      ),
    embed: (texts, signal, onBusy) =>
      ask(
        texts[0] ?? '',
        () => JSON.stringify(texts),
        signal,
        onBusy,
        (replica) => replica.embed(texts, signal, onBusy),
      ),
    async check(signal = new AbortController().signal) {
      states.forget();
      const [identity] = (await atEach(signal, true, (replica) => states.prove(replica, signal))).values();
      return identity?.answeredAs ?? null;
    },
    async examine(needs, signal) {
      const found = await atEach(signal, true, (replica) => replica.examine(needs, signal));
      return [...sharedOrNamed(byUrl(found)), ...absences(), ...differencesOf(states.identities())];
    },
    async tryAdapter(folder, models, signal) {
      const tried = await atEach(signal, true, (replica) => replica.tryAdapter(folder, models, signal));
      return sharedOrNamed(byUrl(tried));
    },
    async unload(unneeded, signal) {
      const here = replicas.filter((replica) => states.isHere(replica));
      await Promise.all(here.map((replica) => replica.unload(unneeded, signal)));
    },
    checkTraining: (check, signal) =>
      ask(
        '',
        () => JSON.stringify(check),
        signal,
        undefined,
        (replica) => replica.checkTraining(check, signal),
      ),
    // Each replica has slots of its own too.
    slots: createRequestSlots(replicas.reduce((sum, { slots }) => sum + slots.count, 0)),
    async close() {
      states.close();
      outages.close();
      await Promise.all(replicas.map((replica) => replica.close()));
    },
  };

  function absences(): Shortcoming[] {
    return replicas.flatMap((replica) => {
      const error = states.leftOut(replica);
      if (error === undefined) return [];
      return [
        {
          says: `${error.message} The other servers of the endpoint get its requests.`,
          remedy: `Start ${replica.url}, or take it out of \`url\` of the endpoint.`,
        },
      ];
    });
  }
}

/** What identifies a conversation: the model, and all messages before its first answer. */
export function conversationOf(
  model: Model,
  { messages }: { readonly messages: readonly Message[] },
): string {
  const answer = messages.findIndex(({ role }) => role === 'assistant');
  return JSON.stringify([weightsOf(model), answer < 0 ? messages : messages.slice(0, answer)]);
}

function byUrl<Result>(found: ReadonlyMap<Replica, Result>): ReadonlyMap<string, Result> {
  return new Map([...found].map(([{ url }, result]) => [url, result]));
}

/** Whether another server might do what this one did not. */
function isOfTheServer(error: unknown): error is Error {
  if (error instanceof EngineRefused) return [401, 403, 404, 405].includes(error.status);
  if (error instanceof ReplicasDiffer) return error.hasChanged;
  return faults.some((fault) => error instanceof fault);
}

const faults = [
  AdapterNotFound,
  AdapterNotLoaded,
  AdapterWithoutEffect,
  AnsweredByAnother,
  EngineAnswerInvalid,
  EngineBusy,
  EngineFailed,
  EngineUnreachable,
  ModelNotServed,
  OtherWeights,
  PromptLogprobsUnsupported,
];
