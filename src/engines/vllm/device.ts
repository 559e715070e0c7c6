/** What can this machine serve a model on, and how large is the model? */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { childEnvironment } from '../../config/child-environment.ts';
import { fileBlobs } from '../../store/blobs-file.ts';
import type { ServingDevice } from './flags.ts';

export type Gpu = {
  readonly index: number;
  readonly name: string;
  /** Bytes. */
  readonly total: number;
  readonly free: number;
};

/** The graphics cards as nvidia-smi names them; none where it is not there. */
export async function gpus(): Promise<Gpu[]> {
  try {
    const query = ['--query-gpu=index,name,memory.total,memory.free', '--format=csv,noheader,nounits'];
    const { stdout } = await promisify(execFile)('nvidia-smi', query, {
      env: childEnvironment(),
      timeout: 60_000,
    });
    return parseGpus(stdout);
  } catch {
    return [];
  }
}

export function parseGpus(text: string): Gpu[] {
  return text
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [index, name = '', total, free] = line.split(',').map((field) => field.trim());
      const numbers = [index, total, free].map(Number);
      if (name === '' || numbers.some((number) => !Number.isFinite(number))) return [];
      const [place = 0, all = 0, left = 0] = numbers;
      return [{ index: place, name, total: all * 2 ** 20, free: left * 2 ** 20 }];
    });
}

/**
 * The device for a vLLM: the CPU for a CPU build and where no card is seen.
 *
 * @param devices the endpoint's own
 * @param ofWorker CUDA_VISIBLE_DEVICES of the worker: the cards of its fine-tunes. Undefined: all
 */
export function servingDevice(
  version: string,
  cards: readonly Gpu[],
  devices: readonly number[] | undefined,
  ofWorker: string | undefined,
): ServingDevice {
  if (version.includes('cpu') || cards.length === 0) return { kind: 'cpu', free: freeMemory() };
  const used = usedDevices(devices, ofWorker);
  const its = cards.filter(({ index }) => used.includes(index));
  return {
    kind: 'gpu',
    devices: devices ?? null,
    total: Math.min(...(its.length > 0 ? its : cards).map(({ total }) => total)),
    free: Math.min(...(its.length > 0 ? its : cards).map(({ free }) => free)),
    shared: sharesDevice(devices, ofWorker),
  };
}

/**
 * Whether a vLLM uses a card of the worker's fine-tunes. Without CUDA_VISIBLE_DEVICES they may use all.
 *
 * @param devices the endpoint's own
 * @param ofWorker CUDA_VISIBLE_DEVICES of the worker
 */
export function sharesDevice(devices: readonly number[] | undefined, ofWorker: string | undefined): boolean {
  const trained = indices(ofWorker);
  return trained === undefined || usedDevices(devices, ofWorker).some((index) => trained.includes(index));
}

function usedDevices(
  devices: readonly number[] | undefined,
  ofWorker: string | undefined,
): readonly number[] {
  return devices ?? indices(ofWorker)?.slice(0, 1) ?? [0];
}

function indices(variable: string | undefined): readonly number[] | undefined {
  return variable === undefined || variable === '' ? undefined : variable.split(',').map(Number);
}

/** What processes on this host may still take, also within a container. Bytes. */
export function freeMemory(): number {
  return process.availableMemory();
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
