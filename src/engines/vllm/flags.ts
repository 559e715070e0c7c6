/** How vLLM is started: every flag and variable, from what experiments need and what the machine has. */
import { roundedRank } from '../../config/fine-tune.ts';
import type { ServingDevice } from './device.ts';
import type { ServingNeeds } from './needs.ts';

export type Serve = {
  /** A folder or a hub id. */
  readonly model: string;
  /** Its weights, when they are in a folder here. Bytes. */
  readonly weights: number | null;
  /** The name that requests call it by. */
  readonly servedModelName: string;
  /** A second name, which no other server has: by it the worker knows its own child. */
  readonly mark: string;
  readonly port: number;
  readonly needs: ServingNeeds;
  /** The longest context that the model has; null when it is not known yet. */
  readonly longestContext: number | null;
  readonly device: ServingDevice;
  /** How many servers of other models are on the device at the same time, this one too. */
  readonly resident: number;
  /** More flags, which come last and so win. */
  readonly args: readonly string[];
};

/**
 * How many adapters take part in a batch. One slot stays free: vLLM's CPU build answers a base request that is in the same step as adapter
 * requests with the adapter in the last slot.
 */
export function loraSlots({ adapters }: ServingNeeds): number {
  return adapters + 1;
}

export function serveArgs(serve: Serve): string[] {
  const { needs, device } = serve;
  const context = Math.min(needs.context, serve.longestContext ?? Infinity);
  const flags: Flags = {
    host: '127.0.0.1',
    port: serve.port,
    'served-model-name': [serve.servedModelName, serve.mark],
    // Otherwise the model's generation_config.json changes how answers are sampled.
    'generation-config': 'vllm',
    'max-model-len': context,
    'disable-uvicorn-access-log': true,
    ...(needs.adapters > 0 ? loraFlags(needs) : {}),
    ...(device.kind === 'cpu' ? cpuFlags(context) : gpuFlags(device, serve)),
  };
  const written = Object.entries(flags).flatMap(([name, value]) => [
    `--${name}`,
    ...(value === true ? [] : [value].flat().map(String)),
  ]);
  return ['serve', serve.model, ...written, ...serve.args];
}

/** By name, without the dashes; `true` for a flag without a value. */
type Flags = Readonly<Record<string, true | number | string | readonly string[]>>;

function loraFlags(needs: ServingNeeds): Flags {
  const slots = loraSlots(needs);
  return {
    'enable-lora': true,
    'max-loras': slots,
    'max-lora-rank': roundedRank(needs.rank),
    // The adapters of the next iteration are loaded while those of the last one are there.
    'max-cpu-loras': slots + needs.adapters,
    // With adapters on lm_head, two requests with prompt_logprobs in one step kill the engine.
    'lora-target-modules': needs.modules.filter((name) => name !== 'lm_head'),
  };
}

/**
 * float32, as the embedded engine has it. Without chunks a step must be able to take a whole prompt; with them, a request with a seed whose
 * prefill is in two steps kills the engine ("CPU Generator does not use offset").
 */
function cpuFlags(context: number): Flags {
  return {
    dtype: 'float32',
    'no-enable-chunked-prefill': true,
    'max-num-batched-tokens': Math.max(8_192, context),
  };
}

function gpuFlags(device: ServingDevice & { kind: 'gpu' }, { resident, ...serve }: Serve): Flags {
  // What another process holds (a trainer's CUDA context, a desktop) and 1 GiB for what grows are left alone.
  const share = Math.min(0.9 / resident, (device.free - gib) / device.total);
  return {
    dtype: 'auto',
    'tensor-parallel-size': device.devices?.length ?? 1,
    'gpu-memory-utilization': Math.max(0.1 / resident, share).toFixed(2),
    ...(maySleep({ ...serve, device }) ? { 'enable-sleep-mode': true } : {}),
  };
}

/** Whether it may have to give up its card to fine-tunes, or to another model, because models without adapters take turns. */
export function maySleep({ device, needs }: Pick<Serve, 'device' | 'needs'>): boolean {
  return device.kind === 'gpu' && (device.shared || needs.adapters === 0);
}

/** Beside the variables that every program of a worker gets. */
export function serveVariables({
  device,
  weights,
  needs,
}: Pick<Serve, 'device' | 'weights' | 'needs'>): Record<string, string> {
  return {
    VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True',
    VLLM_NO_USAGE_STATS: '1',
    DO_NOT_TRACK: '1',
    ...(device.kind === 'cpu'
      ? { VLLM_CPU_KVCACHE_SPACE: String(cacheGib(device.free - (weights ?? 0))) }
      : {
          // With it vLLM has the paths /sleep and /wake_up.
          ...(maySleep({ device, needs }) ? { VLLM_SERVER_DEV_MODE: '1' } : {}),
          ...(device.devices === null ? {} : { CUDA_VISIBLE_DEVICES: device.devices.join() }),
        }),
  };
}

const gib = 2 ** 30;

/** What vLLM's own processes take beside weights and cache, on a CPU. Bytes. */
export const processesOnCpu = 3 * gib;

/** GiB for the cache of keys and values: a quarter of what is left, from 1 to 16. */
function cacheGib(free: number): number {
  return Math.min(16, Math.max(1, Math.floor((free - processesOnCpu) / 4 / gib)));
}

/**
 * What a model may use of what is free on all cards that share it, or on the host. Bytes.
 *
 * @param resident how many models share a card
 */
export function freeOn(device: ServingDevice, resident: number): number {
  if (device.kind === 'cpu') return device.free;
  return Math.min(device.free, device.total / resident) * (device.devices?.length ?? 1);
}

/**
 * What the model needs at least, where its weights are known: they, a tenth more for what a step computes, and on a CPU vLLM's own processes
 * and 1 GiB of cache. Bytes.
 */
export function leastMemory({ weights, device }: Pick<Serve, 'weights' | 'device'>): number | null {
  if (weights === null) return null;
  return 1.1 * weights + (device.kind === 'cpu' ? processesOnCpu + gib : gib);
}
