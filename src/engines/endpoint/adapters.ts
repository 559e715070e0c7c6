/** Which adapters a server has, and the loading, proving and unloading of them. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Message } from '../../algorithm/prompts.ts';
import { report } from '../../observe/events.ts';
import type { ModelRef } from '../../store/models.ts';
import { abortable } from '../abort.ts';
import { AdapterWithoutEffect, EngineRefused } from '../errors.ts';
import type { ChatClient } from './chat-client.ts';

export type AdapterRef = Extract<ModelRef, { kind: 'adapter' }>;

export interface LoadedAdapters {
  /** Runs `fn` with the name under which the server has the adapter, loading it first where needed. */
  use<T>(ref: AdapterRef, signal: AbortSignal, fn: (name: string) => Promise<T>): Promise<T>;
}

/**
 * Adapters of one server, named `colloquy-` and the first 16 digits of their content's hash, so that a name never comes to
 * mean other weights. Above `limit` the one used longest ago and not in use is unloaded.
 */
export function createLoadedAdapters(client: ChatClient, baseModel: string, limit = 48): LoadedAdapters {
  /** In order of use, the latest last. */
  const slots = new Map<string, Slot>();
  let baseline: Promise<string> | undefined;

  function slotFor(ref: AdapterRef): Slot {
    const name = adapterName(ref);
    const slot = slots.get(name) ?? { name, users: 0, loaded: load(name, fileURLToPath(ref.uri)) };
    slots.delete(name);
    slots.set(name, slot);
    // One that failed to load is tried again by whoever comes next.
    slot.loaded.catch(() => forget(slot));
    return slot;
  }

  function forget(slot: Slot): void {
    if (slots.get(slot.name) === slot) slots.delete(slot.name);
  }

  // Loading serves all that wait for the adapter, so no single caller's signal ends it.
  async function load(name: string, path: string): Promise<void> {
    const { signal } = new AbortController();
    try {
      await client.loadAdapter(name, path, signal);
    } catch (error) {
      if (!(error instanceof EngineRefused && /already/i.test(error.words))) throw error;
    }
    baseline ??= canary(baseModel, signal);
    baseline.catch(() => (baseline = undefined));
    const same = (await canary(name, signal)) === (await baseline);
    if (same && !(await adapterChangesNothing(path))) throw new AdapterWithoutEffect(name, path);
    report('adapter loaded', { adapter: name });
    await unloadSurplus(signal);
  }

  async function canary(model: string, signal: AbortSignal): Promise<string> {
    return (await client.promptLogprobs(model, canaryMessages, signal)).join();
  }

  async function unloadSurplus(signal: AbortSignal): Promise<void> {
    for (const slot of slots.values()) {
      if (slots.size <= limit) return;
      if (slot.users > 0) continue;
      forget(slot);
      // Gone already, or the server will refuse the next load and say why.
      await client.unloadAdapter(slot.name, signal).catch(() => undefined);
    }
  }

  return {
    async use(ref, signal, fn) {
      for (let again = true; ; again = false) {
        const slot = slotFor(ref);
        slot.users += 1;
        try {
          await abortable(slot.loaded, signal);
          return await fn(slot.name);
        } catch (error) {
          // The server has started again since, and knows the adapter no more.
          if (!again || !(error instanceof EngineRefused && error.status === 404)) throw error;
          forget(slot);
        } finally {
          slot.users -= 1;
        }
      }
    },
  };
}

interface Slot {
  readonly name: string;
  readonly loaded: Promise<void>;
  /** Calls under way that count on it. */
  users: number;
}

function adapterName(ref: AdapterRef): string {
  return `colloquy-${ref.key.slice(0, 16)}`;
}

/** Any text would do; one with digits and letters suits the embedded model and large ones alike. */
const canaryMessages: readonly Message[] = [
  { role: 'user', content: '12+3*8-5' },
  { role: 'assistant', content: '3*8=24;12+24=36;36-5=31' },
  { role: 'user', content: 'Is 31 right?' },
];

/** A look into an adapter's own file, where its effect is in doubt. */
/**
 * Whether the LoRA adapter in the folder `path` is the identity: every `lora_B` matrix is zero, as before the first step of
 * training (and after a single step of a warm-up, whose learning rate is 0). False when that cannot be read here.
 */
export async function adapterChangesNothing(path: string): Promise<boolean> {
  try {
    await using file = await open(join(path, 'adapter_model.safetensors'));
    const read = async (position: number, length: number): Promise<Buffer> =>
      (await file.read({ buffer: Buffer.alloc(length), position })).buffer;
    const headerBytes = Number((await read(0, 8)).readBigUInt64LE());
    const header = headerSchema.parse(JSON.parse((await read(8, headerBytes)).toString('utf8')));
    const matrices = Object.entries(header).filter(([name]) => name.includes('lora_B'));
    for (const [, { data_offsets: offsets }] of matrices) {
      if (offsets === undefined) return false;
      const bytes = await read(8 + headerBytes + offsets[0], offsets[1] - offsets[0]);
      if (bytes.some((byte) => byte !== 0)) return false;
    }
    return matrices.length > 0;
  } catch {
    return false;
  }
}

/** The safetensors format: 8 bytes with the header's length, the header as JSON, then the tensors' bytes. */
const headerSchema = z.record(
  z.string(),
  z.object({ data_offsets: z.tuple([z.number().int(), z.number().int()]).optional() }),
);
