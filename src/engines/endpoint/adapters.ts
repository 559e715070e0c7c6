/** Which adapters a server has, and the loading, proving and unloading of them. */
import { z } from 'zod';
import type { Message } from '../../algorithm/prompts.ts';
import { fineTuneManifestSchema } from '../../config/contract.ts';
import { emit } from '../../observe/events.ts';
import { fileBlobs } from '../../store/blobs-file.ts';
import { FileRefused } from '../../store/errors.ts';
import { abortable } from '../abort.ts';
import { AdapterWithoutEffect, EngineRefused, OtherWeights } from '../errors.ts';
import type { ChatClient } from './chat-client.ts';

/** The folder of the model with this content address, on the server's machine. */
export type ModelFolder = (key: string) => Promise<string>;

export interface LoadedAdapters {
  /**
   * Runs `fn` with the server's name for the adapter with this content address; loads the adapter first where needed.
   *
   * @param baseWeights of the model that it was trained on, as the server names them; undefined when they are not known here
   */
  use<T>(
    key: string,
    baseWeights: string | undefined,
    signal: AbortSignal,
    fn: (name: string) => Promise<T>,
  ): Promise<T>;
}

/**
 * Adapters of one server, named `colloquy-` and the first 16 digits of their content address, so that a name never comes to
 * mean other weights. When there are more than `limit`, the one that was used longest ago and is not in use is unloaded.
 */
export function createLoadedAdapters(
  client: ChatClient,
  baseModel: string,
  folderOf: ModelFolder,
  limit = 48,
): LoadedAdapters {
  /** In order of use, the latest last. */
  const loaded = new Map<string, Adapter>();
  let baseline: Promise<string> | undefined;

  function adapterOf(key: string, baseWeights: string | undefined): Adapter {
    const name = `colloquy-${key.slice(0, 16)}`;
    const adapter = loaded.get(name) ?? { name, users: 0, ready: load(name, key, baseWeights) };
    loaded.delete(name);
    loaded.set(name, adapter);
    // An adapter that failed to load is tried again by the next request for it.
    adapter.ready.catch(() => forget(adapter));
    return adapter;
  }

  function forget(adapter: Adapter): void {
    if (loaded.get(adapter.name) === adapter) loaded.delete(adapter.name);
  }

  // Many requests wait for the same adapter, so the signal of one of them does not end its loading.
  async function load(name: string, key: string, baseWeights: string | undefined): Promise<void> {
    const { signal } = new AbortController();
    const path = await folderOf(key);
    client.expectWeights(name, { base: baseWeights, adapter: await weightsIn(path) });
    for (let again = true; ; again = false) {
      try {
        await client.loadAdapter(name, path, signal);
      } catch (error) {
        if (!(error instanceof EngineRefused && /already/i.test(error.words))) throw error;
      }
      try {
        await prove(name, path, signal);
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

  /** @throws AdapterWithoutEffect, OtherWeights */
  async function prove(name: string, path: string, signal: AbortSignal): Promise<void> {
    baseline ??= canary(baseModel, signal);
    baseline.catch(() => (baseline = undefined));
    const same = (await canary(name, signal)) === (await baseline);
    if (same && !(await adapterChangesNothing(path))) throw new AdapterWithoutEffect(name, path);
  }

  async function canary(model: string, signal: AbortSignal): Promise<string> {
    const tokens = await client.promptTokens({ model, messages: canaryMessages }, signal);
    return tokens.map(({ logprob }) => logprob).join();
  }

  async function unloadSurplus(signal: AbortSignal): Promise<void> {
    for (const adapter of loaded.values()) {
      if (loaded.size <= limit) return;
      if (adapter.users > 0) continue;
      forget(adapter);
      // If this fails, the server has forgotten it already, or it will refuse the next load and say why.
      await client.unloadAdapter(adapter.name, signal).catch(() => undefined);
    }
  }

  return {
    async use(key, baseWeights, signal, fn) {
      for (let again = true; ; again = false) {
        const adapter = adapterOf(key, baseWeights);
        adapter.users += 1;
        try {
          await abortable(adapter.ready, signal);
          return await fn(adapter.name);
        } catch (error) {
          // The server has started again since then, and no longer has the adapter; or someone else gave its name to other weights.
          const lost =
            error instanceof OtherWeights || (error instanceof EngineRefused && error.status === 404);
          if (!again || !lost) throw error;
          forget(adapter);
        } finally {
          adapter.users -= 1;
        }
      }
    },
  };
}

interface Adapter {
  readonly name: string;
  readonly ready: Promise<void>;
  /** How many requests are using it. */
  users: number;
}

const filesSchema = fineTuneManifestSchema.pick({ files: true });

/** The hash of an adapter's weights by the manifest in its folder; undefined when there is none, or when the folder cannot be read from here. */
async function weightsIn(path: string): Promise<string | undefined> {
  try {
    const manifest = await fileBlobs(path).get('manifest.json');
    const { files } = filesSchema.parse(JSON.parse(String(manifest)));
    return files['adapter_model.safetensors']?.sha256;
  } catch {
    return undefined;
  }
}

/** Any text would do; one with digits and letters suits the embedded model and large ones alike. */
const canaryMessages: readonly Message[] = [
  { role: 'user', content: '12+3*8-5' },
  { role: 'assistant', content: '3*8=24;12+24=36;36-5=31' },
  { role: 'user', content: 'Is 31 right?' },
];

/**
 * Whether the LoRA adapter in the folder `path` is the identity: every `lora_B` matrix is zero, as before the first step of
 * training (and after a single step of a warm-up, whose learning rate is 0). False when the folder is not on this machine, and when
 * the file is no safetensors file.
 *
 * @throws FileRefused
 */
async function adapterChangesNothing(path: string): Promise<boolean> {
  try {
    const folder = fileBlobs(path);
    const read = async (start: number, bytes: number): Promise<Buffer> =>
      (await folder.get('adapter_model.safetensors', { start, bytes })) ?? Buffer.alloc(0);
    const headerBytes = Number((await read(0, 8)).readBigUInt64LE());
    const header = headerSchema.parse(JSON.parse((await read(8, headerBytes)).toString('utf8')));
    const matrices = Object.entries(header).filter(([name]) => name.includes('lora_B'));
    for (const [, { data_offsets: offsets }] of matrices) {
      if (offsets === undefined) return false;
      const bytes = await read(8 + headerBytes + offsets[0], offsets[1] - offsets[0]);
      if (bytes.some((byte) => byte !== 0)) return false;
    }
    return matrices.length > 0;
  } catch (error) {
    if (error instanceof FileRefused) throw error;
    return false;
  }
}

/** The safetensors format: 8 bytes with the header's length, the header as JSON, then the tensors' bytes. */
const headerSchema = z.record(
  z.string(),
  z.object({ data_offsets: z.tuple([z.number().int(), z.number().int()]).optional() }),
);
