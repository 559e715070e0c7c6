/** Which adapters a server has, and the loading, proving and unloading of them. */
import { ColloquyError } from '../../errors.ts';
import { emit } from '../../observe/events.ts';
import { filesInManifest } from '../../store/models.ts';
import { abortable, createTurns } from '../waiting.ts';
import { AdapterWithoutEffect, EngineAnswerInvalid, EngineRefused, OtherWeights } from '../errors.ts';
import { AdapterNotFound } from './refusals.ts';
import type { CanaryAnswer } from './protocol.ts';
import type { ChatClient } from './chat-client.ts';
import { createProofs, requireAllModules, trialName } from './proof.ts';
import type { OnBusy } from './server-requests.ts';

/** The folder of the model with this content address, on the server's machine. */
export type ModelFolder = (key: string) => Promise<string>;

export interface LoadedAdapters {
  /**
   * Runs `fn` with the server's name for the adapter with this content address; loads the adapter first where needed.
   *
   * @param baseWeights of the model that it was trained on, as the server names them; undefined when they are not known here
   * @param onBusy called when the loading has to wait for the server
   * @param turn `alone` for a request that the server may not survive beside others
   */
  use<T>(
    key: string,
    baseWeights: string | undefined,
    signal: AbortSignal,
    fn: (name: string) => Promise<T>,
    onBusy?: OnBusy,
    turn?: 'adapter' | 'alone',
  ): Promise<T>;
  /** Runs `fn`, which asks the base model, when the server answers it as such. */
  useBase<T>(signal: AbortSignal, fn: () => Promise<T>, turn?: 'base' | 'score'): Promise<T>;
  /**
   * Proves the base model beside all adapters that are loaded, when others have been loaded since it was proved last.
   *
   * @throws AnsweredByAnother
   */
  prove(signal: AbortSignal): Promise<void>;
  /**
   * Unloads adapters that the server has, also those that another program loaded. One that is still needed is loaded again by the next request for it.
   *
   * @param unneeded what is unloaded; adapters that requests of this process are using stay
   * @param by the client that asks
   */
  unload(unneeded: UnneededAdapter, by: ChatClient, signal: AbortSignal): Promise<void>;
  /**
   * Has an adapter loaded under as many names as there will be adapters, proves them as real ones are proved, and unloads them again.
   *
   * @param path the adapter's folder, which only this trial uses; each folder in `parts` has its part for one kind of module
   * @returns whether the base model is answered as such beside them
   * @throws ModulesIgnored, or as `use` does
   */
  tryOut(path: string, count: number, signal: AbortSignal): Promise<boolean>;
}

/**
 * @param digits the first 16 of its content address
 * @param loadedHere whether this process has loaded it
 */
export type UnneededAdapter = (digits: string, loadedHere: boolean) => Promise<boolean>;

/**
 * Adapters of one server, named `colloquy-` and the first 16 digits of their content address, so that a name never comes to
 * mean other weights. When there are more than `limit`, the one that was used longest ago and is not in use is unloaded.
 *
 * @param mayFind whether the server may be one that finds adapters by their names (engine/vllm_resolver), which is then not told to load any
 */
export function createLoadedAdapters(
  client: ChatClient,
  baseModel: string,
  folderOf: ModelFolder,
  limit: () => number = () => 48,
  mayFind = false,
): LoadedAdapters {
  /** In order of use, the latest last. */
  const loaded = new Map<string, Adapter>();
  const turns = createTurns();
  const proofs = createProofs(client, baseModel, turns);
  /** What each answers alone, and whether they have been asked together since. */
  const answers = new Map<string, CanaryAnswer>();
  let proved: Promise<void> | undefined;
  /** Whether the server finds adapters by their names. */
  let finds: Promise<boolean> | undefined;

  function adapterOf(key: string, baseWeights: string | undefined): Adapter {
    const name = `colloquy-${key.slice(0, 16)}`;
    const adapter = loaded.get(name) ?? begin(name, key, baseWeights);
    loaded.delete(name);
    loaded.set(name, adapter);
    // An adapter that failed to load is tried again by the next request for it.
    adapter.ready.catch(() => forget(adapter));
    return adapter;
  }

  function begin(name: string, key: string, baseWeights: string | undefined): Adapter {
    const waiting = new Set<OnBusy>();
    const tell: OnBusy = (...wait) => waiting.forEach((onBusy) => onBusy(...wait));
    return { name, users: 0, waiting, ready: makeReady(name, key, baseWeights, tell) };
  }

  function forget(adapter: Adapter): void {
    if (loaded.get(adapter.name) !== adapter) return;
    loaded.delete(adapter.name);
    answers.delete(adapter.name);
  }

  // Many requests wait for the same adapter, so the signal of one of them does not end its loading.
  async function makeReady(
    name: string,
    key: string,
    baseWeights: string | undefined,
    onBusy: OnBusy,
  ): Promise<void> {
    const { signal } = new AbortController();
    const path = await folderOf(key);
    client.expectWeights(name, { base: baseWeights, adapter: await weightsIn(path) });
    for (let again = true; ; again = false) {
      try {
        answers.set(name, await provide(name, path, signal, onBusy));
        proved = undefined;
        break;
      } catch (error) {
        // Someone else gave the name to other weights.
        if (!again || !(error instanceof OtherWeights)) throw error;
        await client.unloadAdapter(name, signal).catch(() => undefined);
      }
    }
    emit('adapter loaded', { adapter: name });
    await unloadSurplus(signal);
  }

  /** Whether the server finds adapters by their names, so that none are loaded. */
  function findsThem(signal: AbortSignal): Promise<boolean> {
    finds ??= mayFind ? findsAdapters(client, signal) : Promise.resolve(false);
    return finds;
  }

  /** Makes sure that the server has the adapter, and proves it. */
  async function provide(
    name: string,
    path: string,
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<CanaryAnswer> {
    try {
      if (!(await findsThem(signal))) await load(name, path, signal, onBusy);
      return await proofs.adapter(name, path, signal);
    } catch (error) {
      const refused = error instanceof EngineRefused && (error.status === 404 || error.status === 400);
      const notFound = refused && (await finds?.catch(() => false)) === true;
      // The server may have been started again in another way.
      finds = undefined;
      throw notFound ? new AdapterNotFound(error) : error;
    }
  }

  async function load(name: string, path: string, signal: AbortSignal, onBusy?: OnBusy): Promise<void> {
    try {
      await client.loadAdapter(name, path, signal, onBusy);
    } catch (error) {
      if (!(error instanceof EngineRefused && /already/i.test(error.words))) throw error;
    }
  }

  async function tryModules(path: string, signal: AbortSignal): Promise<void> {
    // A server that finds adapters by their names looks for models of the store alone.
    if (!(await findsThem(signal))) await requireAllModules(client, proofs, path, signal);
  }

  async function unloadSurplus(signal: AbortSignal): Promise<void> {
    for (const adapter of loaded.values()) {
      if (loaded.size <= limit()) return;
      if (adapter.users > 0) continue;
      forget(adapter);
      // If this fails, the server has forgotten it already, or it will refuse the next load and say why.
      await client.unloadAdapter(adapter.name, signal).catch(() => undefined);
    }
  }

  return {
    async use(key, baseWeights, signal, fn, onBusy, turn = 'adapter') {
      for (let again = true; ; again = false) {
        const adapter = adapterOf(key, baseWeights);
        adapter.users += 1;
        if (onBusy !== undefined) adapter.waiting.add(onBusy);
        try {
          await abortable(adapter.ready, signal);
          return await turns.take(turn, signal, () => fn(adapter.name));
        } catch (error) {
          // The server has started again since then, and no longer has the adapter; or someone else gave its name to other weights.
          const lost =
            error instanceof OtherWeights || (error instanceof EngineRefused && error.status === 404);
          if (!again || !lost) throw error;
          forget(adapter);
        } finally {
          adapter.users -= 1;
          if (onBusy !== undefined) adapter.waiting.delete(onBusy);
        }
      }
    },
    async unload(unneeded, by, signal) {
      for (const { id } of await by.listModels(signal)) {
        const digits = /^colloquy-([0-9a-f]{16})$/.exec(id)?.[1];
        const adapter = loaded.get(id);
        if (digits === undefined || !(await unneeded(digits, adapter !== undefined))) continue;
        if (adapter !== undefined && adapter.users > 0) continue;
        if (adapter !== undefined) forget(adapter);
        // Behind a load balancer, another server may have it than the one that listed it.
        await by.unloadAdapter(id, signal).catch(unlessUnknown);
      }
    },
    async tryOut(path, count, signal) {
      const tried = new Map<string, CanaryAnswer>();
      const names = Array.from({ length: count }, (_, index) => trialName(path, index + 1));
      try {
        for (const name of names) tried.set(name, await provide(name, path, signal));
        await proofs.together(tried, signal);
      } catch (error) {
        // An adapter that changes nothing may be for modules that the server ignores.
        if (error instanceof AdapterWithoutEffect) await tryModules(path, signal);
        throw error;
      } finally {
        // An adapter that was not loaded is not unloaded either.
        for (const name of names) await client.unloadAdapter(name, signal).catch(() => undefined);
      }
      await tryModules(path, signal);
      return !turns.separated;
    },
    useBase: (signal, fn, turn = 'base') => turns.take(turn, signal, fn),
    async prove(signal) {
      // Many steps begin together, so the signal of one of them does not end the proof.
      proved ??= proofs.together(answers, new AbortController().signal);
      proved.catch(() => (proved = undefined));
      await abortable(proved, signal);
    },
  };
}

/** Does work that may be left undone: a server that does not answer or refuses fails no step by it. */
export async function tidying(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ColloquyError)) throw error;
  }
}

/** Whether the server finds adapters by their names, without being told to load them. */
async function findsAdapters(client: ChatClient, signal: AbortSignal): Promise<boolean> {
  const messages = [{ role: 'user', content: '1+1' }] as const;
  const request = { model: resolverName, messages, seed: 0, temperature: 0, top_p: 1, max_tokens: 1 };
  try {
    await client.complete(request, signal);
  } catch (error) {
    if (error instanceof EngineRefused)
      return error.status === 400 && error.words.includes(`'${resolverName}' was found`);
    if (!(error instanceof EngineAnswerInvalid)) throw error;
  }
  return false;
}

/** engine/vllm_resolver answers to it with a folder that is not there, and vLLM's answer to that differs from its answer to a name that it does not know. */
const resolverName = 'colloquy-resolver';

function unlessUnknown(error: unknown): void {
  if (!(error instanceof EngineRefused && error.status === 404)) throw error;
}

interface Adapter {
  readonly name: string;
  readonly ready: Promise<void>;
  /** Of the requests that wait for it to be loaded. */
  readonly waiting: Set<OnBusy>;
  /** How many requests are using it. */
  users: number;
}

/** The hash of an adapter's weights by the manifest in its folder; undefined when there is none, or when the folder cannot be read from here. */
async function weightsIn(path: string): Promise<string | undefined> {
  try {
    return (await filesInManifest(path))?.['adapter_model.safetensors']?.sha256;
  } catch {
    return undefined;
  }
}
