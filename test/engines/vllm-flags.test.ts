import { afterEach, describe, expect, it, vi } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { parseGpus, servingDevice, sharesDevice } from '../../src/engines/vllm/device.ts';
import {
  freeOn,
  leastMemory,
  roundedRank,
  type Serve,
  serveArgs,
  serveVariables,
} from '../../src/engines/vllm/flags.ts';
import { versionFault } from '../../src/engines/vllm/installed.ts';
import { covers, createExpectations, servingNeeds, together } from '../../src/engines/vllm/needs.ts';

const gib = 2 ** 30;
const serve: Serve = {
  model: '/models/m',
  weights: 8 * gib,
  servedModelName: 'm',
  mark: 'colloquy-1',
  port: 1234,
  needs: { adapters: 6, rank: 16, modules: ['q_proj', 'lm_head'], context: 7_168 },
  longestContext: null,
  device: { kind: 'gpu', devices: null, total: 24 * gib, free: 24 * gib, shared: true },
  resident: 1,
  args: [],
};

describe('what an experiment needs of a vLLM', () => {
  it('follows from its agents, rounds, answers and adapters', () => {
    const paper = resolveConfig({ preset: 'paper', iterations: 2 });
    const { adapters, rank, context, modules } = servingNeeds(paper);
    expect({ adapters, rank, context }).toEqual({
      // A generation and a critic model of each of three agents.
      adapters: 6,
      rank: paper.fine_tune.lora_r,
      // Two answers and a summary, each of 2,048 tokens at most.
      context: 1_024 + 3 * 2_048,
    });
    expect(modules).toEqual(expect.arrayContaining(['q_proj', 'down_proj', 'qkv_proj', 'gate_up_proj']));
    expect(modules).not.toContain('lm_head');
  });

  it('is no adapter when none is trained', () => {
    for (const config of [{ iterations: 0 }, { method: 'debate' }, { preset: 'paper-full' }] as const)
      expect(servingNeeds(resolveConfig(config))).toMatchObject({ adapters: 0, rank: 0, modules: [] });
  });

  it('of several experiments is room for the adapters of all', () => {
    const large = { ...serve.needs, rank: 64, context: 100 };
    const both = together([serve.needs, large]);
    expect(both).toMatchObject({ adapters: 12, rank: 64, context: 7_168 });
    expect(covers(both, serve.needs)).toBe(true);
    expect(covers(serve.needs, large)).toBe(false);
    expect(covers(serve.needs, { ...serve.needs, modules: ['k_proj'] })).toBe(false);
  });
});

describe('what a vLLM is wanted for', () => {
  afterEach(() => vi.useRealTimers());

  it('is one experiment of the usual size before any has asked', () => {
    expect(createExpectations().wanted()).toMatchObject({ adapters: 6, rank: 16 });
  });

  it('is all experiments of the last hour, and the last one however long its step takes', () => {
    vi.useFakeTimers();
    const { expect: begin, wanted } = createExpectations();
    const adapters = (): number => wanted().adapters;
    begin('a', serve.needs);
    begin('a', serve.needs);
    expect(adapters()).toBe(6);
    begin('b', { ...serve.needs, adapters: 2 });
    expect(adapters()).toBe(8);
    vi.advanceTimersByTime(5 * 3_600_000);
    expect(adapters()).toBe(8);
    begin('b', { ...serve.needs, adapters: 2 });
    expect(adapters()).toBe(2);
  });
});

describe('the flags of a vLLM', () => {
  const flags = (given: Partial<Serve> = {}): string => serveArgs({ ...serve, ...given }).join(' ');

  it('on a graphics card', () => {
    expect(flags()).toBe(
      'serve /models/m --host 127.0.0.1 --port 1234 --served-model-name m colloquy-1 --generation-config vllm ' +
        '--max-model-len 7168 --disable-uvicorn-access-log ' +
        '--enable-lora --max-loras 7 --max-lora-rank 16 --max-cpu-loras 13 --lora-target-modules q_proj ' +
        '--dtype auto --tensor-parallel-size 1 --gpu-memory-utilization 0.90 --enable-sleep-mode',
    );
    const four = { ...serve.device, devices: [0, 1, 2, 3], shared: false, free: 12 * gib } as Serve['device'];
    expect(flags({ device: four })).toMatch(/--tensor-parallel-size 4 --gpu-memory-utilization 0\.46$/);
    expect(serveVariables({ ...serve, device: four })).toMatchObject({ CUDA_VISIBLE_DEVICES: '0,1,2,3' });
  });

  it('leave room on the card for the models that are resident beside it', () => {
    expect(flags({ resident: 3 })).toMatch(/--gpu-memory-utilization 0\.30 /);
    expect(freeOn(serve.device, 3)).toBe(8 * gib);
    expect(freeOn(serve.device, 1)).toBe(24 * gib);
  });

  it('on a CPU', () => {
    const device = { kind: 'cpu', free: 20 * gib } as const;
    const long = { ...serve.needs, context: 10_000 };
    expect(flags({ device, needs: long })).toMatch(
      /--dtype float32 --no-enable-chunked-prefill --max-num-batched-tokens 10000$/,
    );
    expect(serveVariables({ ...serve, device, weights: 9 * gib })).toEqual({
      VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True',
      VLLM_NO_USAGE_STATS: '1',
      DO_NOT_TRACK: '1',
      VLLM_CPU_KVCACHE_SPACE: '2',
    });
  });

  it('have no adapters where none are trained, no more context than the model has, and the user’s last', () => {
    const untrained = { ...serve.needs, adapters: 0, rank: 0, modules: [] };
    const text = flags({ needs: untrained, longestContext: 4_096, args: ['--dtype', 'float16'] });
    expect(text).not.toContain('lora');
    expect(text).toMatch(/--max-model-len 4096 .*--dtype float16$/);
  });

  it.each([
    [1, 1],
    [2, 8],
    [16, 16],
    [17, 32],
    [200, 256],
    [321, 512],
  ])('round the rank %i up to %i', (rank, rounded) => expect(roundedRank(rank)).toBe(rounded));

  it('ask for at least the weights and a tenth of them', () => {
    expect(leastMemory(serve)! / gib).toBeCloseTo(9.8, 6);
    expect(leastMemory({ ...serve, weights: null })).toBeNull();
  });
});

describe('the device of a vLLM', () => {
  const cards = parseGpus('0, NVIDIA H100 80GB HBM3, 81559, 81000\n1, NVIDIA H100 80GB HBM3, 81559, 9000\n');

  it('is read from nvidia-smi', () => {
    expect(cards.map(({ index, name }) => `${index} ${name}`)).toEqual([
      '0 NVIDIA H100 80GB HBM3',
      '1 NVIDIA H100 80GB HBM3',
    ]);
    expect(cards[1]!.free).toBe(9_000 * 2 ** 20);
    expect(parseGpus('No devices were found\n')).toEqual([]);
  });

  it('is the CPU for a CPU build, and where there is no card', () => {
    expect(servingDevice('0.32.0+cpu', cards, undefined, undefined).kind).toBe('cpu');
    expect(servingDevice('0.32.0', [], undefined, undefined).kind).toBe('cpu');
  });

  it('has as much room as the fullest of its cards', () => {
    expect(servingDevice('0.32.0', cards, [0, 1], '2')).toMatchObject({
      free: 9_000 * 2 ** 20,
      shared: false,
    });
  });

  it.each([
    // [the endpoint's devices, CUDA_VISIBLE_DEVICES of the worker, whether they share a card]
    [undefined, undefined, true],
    [[1], undefined, true],
    [undefined, '0', true],
    [[1, 2], '0', false],
    [[0, 1], '0,3', true],
  ])('%j beside a worker on %j: shared %j', (devices, ofWorker, shared) =>
    expect(sharesDevice(devices, ofWorker)).toBe(shared),
  );
});

it.each(['0.32.0', '0.32.0+cpu', '0.17.0rc1', '1.0.0', '0.1.dev12345+gabc'])(
  'version %s of vLLM can be used',
  (version) => expect(versionFault(version)).toBeNull(),
);

it.each([
  ['0.9.2', /version 0\.9\.2, and the oldest that can be used is 0\.17\.0/],
  ['0.16.3.post1', /oldest/],
  ['a library says hello', /is not understood/],
])('version %s of vLLM cannot be used', (version, fault) => expect(versionFault(version)).toMatch(fault));
