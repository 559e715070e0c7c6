import { chmodSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { roundedRank } from '../../src/config/fine-tune.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { parseGpus, servingDevice, sharesDevice } from '../../src/engines/vllm/device.ts';
import { freeOn, leastMemory, type Serve, serveArgs, serveVariables } from '../../src/engines/vllm/flags.ts';
import { findVllm, versionFault, VllmUnusable } from '../../src/engines/vllm/installed.ts';
import {
  covers,
  createExpectations,
  DeviceMemoryTooSmall,
  embeddedNeeds,
  requireEmbeddedMemory,
  ResidentTooLarge,
  servingNeeds,
  together,
} from '../../src/engines/vllm/needs.ts';
import { errorOf } from '../support/error-of.ts';
import { groupGone } from './fixtures/processes.ts';

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
  const cards = parseGpus(
    '0, NVIDIA H100 80GB HBM3, 81559, 81000, GPU-aaaa1111-0000\n1, NVIDIA H100 80GB HBM3, 81559, 9000, GPU-bbbb2222-0000\n',
  );

  it('is read from nvidia-smi', () => {
    expect(cards.map(({ index, name }) => `${index} ${name}`)).toEqual([
      '0 NVIDIA H100 80GB HBM3',
      '1 NVIDIA H100 80GB HBM3',
    ]);
    expect(cards[1]!.free).toBe(9_000 * 2 ** 20);
    expect(parseGpus('No devices were found\n')).toEqual([]);
    // GB10 and Jetson have the host's memory.
    const [shared] = parseGpus('0, NVIDIA GB10, [N/A], [N/A], GPU-dddd\n');
    expect(shared).toMatchObject({ index: 0, name: 'NVIDIA GB10', total: totalmem() });
    expect(shared!.free).toBeGreaterThan(0);
  });

  it.each([
    '1, NVIDIA H100, [Unknown Error], 9000, GPU-1',
    'Unable to determine the device handle for GPU0',
    ', , , ,',
  ])('is refused with the line of nvidia-smi that has no figures: %s', (line) =>
    expect(() => parseGpus(`0, A, 100, 90, GPU-0\n${line}\n`)).toThrow(`${line.trim()}.`),
  );

  const free = (devices: number[] | undefined, ofWorker: string | undefined) => {
    const device = servingDevice('0.32.0', cards, devices, ofWorker);
    return device.kind === 'gpu' ? device.free / 2 ** 20 : device.kind;
  };

  it.each([
    // [CUDA_VISIBLE_DEVICES of the worker, free memory of its first card]
    [undefined, 81_000],
    ['1', 9_000],
    [' 1 , 0', 9_000],
    ['GPU-bbbb', 9_000],
    ['gpu-BBBB2222-0000,GPU-aaaa', 9_000],
    ['0,-1,7', 81_000],
  ])('is the first card of CUDA_VISIBLE_DEVICES %s', (ofWorker, mebibytes) =>
    expect(free(undefined, ofWorker)).toBe(mebibytes),
  );

  it.each([
    [
      [2],
      undefined,
      /`devices` of the endpoint has the graphics card 2, and this machine has the graphics cards 0 \(NVIDIA H100 80GB HBM3, GPU-aaaa1111-0000\), 1/,
    ],
    [undefined, '7', /names 7, and this machine has the graphics cards 0 .*, 1/],
    [undefined, 'GPU-cccc', /names GPU-cccc, and this machine has/],
    [undefined, 'MIG-1234', /names MIG-1234, a part of a graphics card/],
    [undefined, '', /leaves vLLM none of the graphics cards 0/],
    [undefined, '-1', /leaves vLLM none/],
  ] as const)('is refused by name for devices %j and CUDA_VISIBLE_DEVICES %j', (devices, ofWorker, words) => {
    expect(() => free(devices && [...devices], ofWorker)).toThrow(words);
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
    [[1], '', false],
    [[1], 'GPU-aaaa', false],
    [[0], 'GPU-AAAA1111-0000', true],
    // It cannot be found out, so it counts as shared.
    [[1], 'GPU-cccc', true],
    [[1], 'MIG-aaaa', true],
  ])('%j beside a worker on %j: shared %j', (devices, ofWorker, shared) =>
    expect(sharesDevice(devices, ofWorker, cards)).toBe(shared),
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

describe('the program that an endpoint names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-found-'));
  const command = join(folder, 'vllm');
  const script = (text: string): void => {
    writeFileSync(command, `#!/bin/sh\n${text}\n`);
    chmodSync(command, 0o755);
  };
  const found = (text: string, timeoutMs?: number) => {
    script(text);
    return findVllm(command, process.env, timeoutMs);
  };

  it.each([
    ['echo 0.32.0; echo a warning of version 1.0', '0.32.0'],
    ['echo a library says hello; echo vllm 0.32.0+cpu', '0.32.0+cpu'],
  ])('has the version that stands alone in a line: %s', async (text, version) => {
    expect(await found(text)).toEqual({ command, version });
  });

  it.each([
    ['echo git version 2.39.5', /that is no vLLM: it printed "git version 2\.39\.5"/],
    ['exit 0', /that is no vLLM: it printed nothing/],
    ['echo no such library >&2; exit 3', /does not say its version \(exit code 3: no such library\)/],
  ])('is refused: %s', async (text, message) => {
    const error = await errorOf(found(text));
    expect(error).toBeInstanceOf(VllmUnusable);
    expect(error.message).toMatch(message);
  });

  it('that hangs is ended with all that it started', async () => {
    const ids = join(folder, 'ids');
    const error = await errorOf(found(`ps -o pgid= -p $$ > ${ids}; sleep 100 & sleep 100`, 1_500));
    expect(error.message).toMatch(/it timed out after 1\.5 s/);
    await groupGone(Number(readFileSync(ids, 'utf8')));
  });

  it('may be a relative path, and neither a folder nor a path that begins with ~', async () => {
    script('echo 0.32.0');
    expect(await findVllm(relative(process.cwd(), command))).toEqual({ command, version: '0.32.0' });
    expect((await errorOf(findVllm(folder))).message).toMatch(/it is a folder, and no program/);
    expect((await errorOf(findVllm('~/bin/vllm'))).message).toMatch(
      /write the whole path, e\.g\. \/.*\/bin\/vllm/,
    );
  });
});

describe('what the embedded engines of an experiment need', () => {
  /** A model whose float32 weights are this part of the host's memory. They take no room on the disk. */
  function modelOf(share: number): string {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-large-'));
    writeFileSync(join(folder, 'config.json'), '{"dtype": "float32"}');
    writeFileSync(join(folder, 'model.safetensors'), '');
    truncateSync(join(folder, 'model.safetensors'), Math.round(share * totalmem()));
    return folder;
  }
  const [large, larger] = [modelOf(0.4), modelOf(0.45)];
  const local = (name: string) => ({ model: { endpoint: 'local', model_name_or_path: name } });
  const needs = (config: object, resident: number) =>
    embeddedNeeds(resolveConfig({ iterations: 1, ...config }), 'local', {
      resident,
      residentWhole: resident,
    });

  it('is refused before anything starts when `resident` is larger than memory', async () => {
    const whole = { preset: 'paper-full', ...local(large) };
    expect(await needs(whole, 2)).toMatch(
      /^at least [\d.]+ GiB of this host's memory for 2 models at a time, of [\d.]+ GiB$/,
    );
    const error = await errorOf(needs(whole, 3));
    expect(error).toBeInstanceOf(ResidentTooLarge);
    expect(error.message).toMatch(/The endpoint local needs .* for 3 models at a time.*smaller `resident`/);
  });

  it('counts the base models of its agents, and each once', async () => {
    const two = { preset: 'paper', agents: [local(large), local(larger), local(large)], ...local(large) };
    expect(await needs(two, 1)).toContain('for 1 model at a time');
    expect(await needs(two, 3)).toContain('for 2 models at a time');
  });

  it('of a model that has no room now is refused before its engine starts', async () => {
    await requireEmbeddedMemory(modelOf(0));
    const error = await errorOf(requireEmbeddedMemory(modelOf(1.2)));
    expect(error).toBeInstanceOf(DeviceMemoryTooSmall);
    expect(error.message).toMatch(/needs at least .* of this host's memory, and [\d.]+ GiB are free/);
  });
});
