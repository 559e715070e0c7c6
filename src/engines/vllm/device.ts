/** What can this machine serve a model on, and how large is the model? */
import { execFile } from 'node:child_process';
import { totalmem } from 'node:os';
import { promisify } from 'node:util';
import { z } from 'zod';
import { childEnvironment } from '../../config/installation.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { fileBlobs } from '../../store/blobs-file.ts';

/** The device that vLLM is to use. */
export type ServingDevice =
  | { readonly kind: 'cpu'; /** Of the host, now. Bytes. */ readonly free: number }
  | {
      readonly kind: 'gpu';
      /** As CUDA_VISIBLE_DEVICES names them; null leaves the choice to the worker's environment, and one of them is used. */
      readonly devices: readonly number[] | null;
      /** Of the device that has least. Bytes. */
      readonly total: number;
      readonly free: number;
      /** Whether fine-tunes of this worker use it too. */
      readonly shared: boolean;
    };

export type Gpu = {
  readonly index: number;
  readonly name: string;
  /** `GPU-…`; empty where nvidia-smi does not give it. */
  readonly uuid: string;
  /** Bytes. */
  readonly total: number;
  readonly free: number;
};

/**
 * The graphics cards that nvidia-smi names; none when there is no nvidia-smi or it finds none.
 *
 * @throws DevicesUnusable when it fails, or when a card gives no figures
 */
export async function gpus(): Promise<Gpu[]> {
  const query = ['--query-gpu=index,name,memory.total,memory.free,uuid', '--format=csv,noheader,nounits'];
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', query, {
      env: childEnvironment(),
      timeout: 60_000,
    });
    return parseGpus(stdout);
  } catch (error) {
    if (error instanceof DevicesUnusable) throw error;
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    const words = `${stdout}${stderr}`.trim();
    if (code === 'ENOENT' || /No devices were found/i.test(words)) return [];
    throw new DevicesUnusable(`nvidia-smi fails: ${words === '' ? String(code) : words.slice(0, 300)}`);
  }
}

/** @throws DevicesUnusable for a line that is no card with figures */
export function parseGpus(text: string): Gpu[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/No devices were found/i.test(line));
  return lines.map((line) => {
    const [index = '', name = '', total = '', free = '', uuid = ''] = line
      .split(',')
      .map((field) => field.trim());
    // A card that has the host's memory (GB10, Jetson) has no figure of its own.
    const bytes = (field: string, ofHost: number): number =>
      /^\[(N\/A|Not Supported)\]$/i.test(field) ? ofHost : Number(field) * 2 ** 20;
    const card = {
      index: Number(index),
      name,
      uuid,
      total: bytes(total, totalmem()),
      free: bytes(free, process.availableMemory()),
    };
    const figures =
      index !== '' &&
      total !== '' &&
      free !== '' &&
      [card.index, card.total, card.free].every(Number.isFinite);
    if (!figures)
      throw new DevicesUnusable(
        `nvidia-smi does not say what memory a graphics card has: ${line.trim().slice(0, 300)}`,
      );
    return card;
  });
}

/**
 * The device for a vLLM: the CPU for a CPU build and where no card is seen.
 *
 * @param devices the endpoint's own
 * @param ofWorker CUDA_VISIBLE_DEVICES of the worker: the cards of its fine-tunes. Undefined: all
 * @throws DevicesUnusable when one of them names a card that is not here
 */
export function servingDevice(
  version: string,
  cards: readonly Gpu[],
  devices: readonly number[] | undefined,
  ofWorker: string | undefined,
): ServingDevice {
  if (version.includes('cpu') || cards.length === 0) return { kind: 'cpu', free: process.availableMemory() };
  const its =
    devices === undefined
      ? visibleCards(ofWorker, cards).slice(0, 1)
      : devices.map((index) => cardOf(index, cards));
  // Without a card that it may use, a vLLM for graphics cards does not start.
  if (its.length === 0)
    throw new DevicesUnusable(
      `CUDA_VISIBLE_DEVICES of the worker (${JSON.stringify(ofWorker)}) leaves vLLM none of ${describeCards(cards)}. Set \`devices\` of the endpoint, or another CUDA_VISIBLE_DEVICES where the worker starts`,
    );
  return {
    kind: 'gpu',
    devices: devices ?? null,
    total: Math.min(...its.map(({ total }) => total)),
    free: Math.min(...its.map(({ free }) => free)),
    shared: sharesDevice(devices, ofWorker, cards),
  };
}

/** As `servingDevice`, on this machine and beside this worker. @throws DevicesUnusable */
export async function servingDeviceHere(
  version: string,
  devices: readonly number[] | undefined,
): Promise<ServingDevice> {
  const cards = version.includes('cpu') ? [] : await gpus();
  return servingDevice(version, cards, devices, process.env['CUDA_VISIBLE_DEVICES']);
}

/** @throws DevicesUnusable */
function cardOf(index: number, cards: readonly Gpu[]): Gpu {
  const card = cards.find((each) => each.index === index);
  if (card === undefined)
    throw new DevicesUnusable(
      `\`devices\` of the endpoint has the graphics card ${index}, and this machine has ${describeCards(cards)}`,
    );
  return card;
}

/**
 * The cards that CUDA_VISIBLE_DEVICES leaves a program, in its order: all when it is not set, none when it is empty. CUDA ignores what is
 * behind the first negative index.
 *
 * @throws DevicesUnusable for a card that is not here, and for a part of a card (MIG)
 */
export function visibleCards(variable: string | undefined, cards: readonly Gpu[]): readonly Gpu[] {
  if (variable === undefined) return cards;
  const names = variable.split(',').map((name) => name.trim());
  const end = names.findIndex((name) => name === '' || name.startsWith('-'));
  return names.slice(0, end < 0 ? undefined : end).map((name) => {
    if (/^MIG-/i.test(name))
      throw new DevicesUnusable(
        `CUDA_VISIBLE_DEVICES of the worker names ${name}, a part of a graphics card, whose memory cannot be found out. Start vLLM yourself and give the endpoint its \`url\``,
      );
    const found = cards.find(({ index, uuid }) =>
      /^\d+$/.test(name) ? index === Number(name) : uuid.toLowerCase().startsWith(name.toLowerCase()),
    );
    if (found === undefined)
      throw new DevicesUnusable(
        `CUDA_VISIBLE_DEVICES of the worker names ${name}, and this machine has ${describeCards(cards)}. CUDA ignores this card and all cards after it`,
      );
    return found;
  });
}

function describeCards(cards: readonly Gpu[]): string {
  return `the graphics cards ${cards.map(({ index, name, uuid }) => `${index} (${[name, uuid].filter((each) => each !== '').join(', ')})`).join(', ')}`;
}

/**
 * Whether a vLLM uses a card of the worker's fine-tunes. Without CUDA_VISIBLE_DEVICES they may use all. Where it cannot be found out, it
 * counts as shared, which is safe.
 *
 * @param devices the endpoint's own
 * @param ofWorker CUDA_VISIBLE_DEVICES of the worker
 */
export function sharesDevice(
  devices: readonly number[] | undefined,
  ofWorker: string | undefined,
  cards: readonly Gpu[],
): boolean {
  if (devices === undefined || ofWorker === undefined) return true;
  if (/^[\d\s,]*$/.test(ofWorker))
    return ofWorker.split(',').some((name) => name.trim() !== '' && devices.includes(Number(name)));
  try {
    return visibleCards(ofWorker, cards).some(({ index }) => devices.includes(index));
  } catch {
    return true;
  }
}

/** As `sharesDevice`, on this machine and beside this worker. */
export async function sharesCardOfWorker(devices: readonly number[] | undefined): Promise<boolean> {
  // Each fine-tune asks this, and the usual endpoint names no cards.
  if (devices === undefined) return true;
  const cards = await gpus().catch(() => []);
  return sharesDevice(devices, process.env['CUDA_VISIBLE_DEVICES'], cards);
}

/** The graphics cards of this machine, or the chosen ones, cannot be used. Another worker may have what is missing here. */
export class DevicesUnusable extends ColloquyError {
  override name = 'DevicesUnusable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;

  constructor(fault: string) {
    super(`${fault}.`);
  }
}

export type ModelFacts = {
  /** The weights as they will be in memory; null when their files are not in a folder here. Bytes. */
  readonly weights: number | null;
  /** The longest context that the model has, in tokens; null when it is not known here. */
  readonly longestContext: number | null;
};

const configSchema = z.object({
  max_position_embeddings: z.int().positive().optional(),
  dtype: z.string().optional(),
  torch_dtype: z.string().optional(),
});

/**
 * @param model as `resolveModel` gives it
 * @param float32 whether the weights will be float32, whatever they are in their files; otherwise they will have 16 bits
 */
export async function modelFacts(model: string, float32: boolean): Promise<ModelFacts> {
  if (!model.startsWith('/')) return { weights: null, longestContext: null };
  const folder = fileBlobs(model);
  const names = (await folder.list('')).filter((name) => /^[^/]+\.safetensors$/.test(name));
  const sizes = await Promise.all(names.map((name) => folder.size(name)));
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  const config = configSchema.safeParse(parsed(await folder.get('config.json'))).data;
  const half = /16/.test(config?.dtype ?? config?.torch_dtype ?? '');
  // Without --dtype float32, vLLM has float32 weights as bfloat16.
  const factor = float32 === half ? (half ? 2 : 0.5) : 1;
  return {
    weights: bytes === 0 ? null : bytes * factor,
    longestContext: config?.max_position_embeddings ?? null,
  };
}

function parsed(bytes: Buffer | null): unknown {
  try {
    return JSON.parse(String(bytes));
  } catch {
    return undefined;
  }
}
