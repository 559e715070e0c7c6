/** The supervision of a vLLM that the worker runs, on a small real process with vLLM's command line and paths. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { VllmConfig } from '../../src/config/endpoints.ts';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import { createEndpoints, type EndpointDeps, openEndpoint } from '../../src/engines/endpoint/open.ts';
import { EngineDied } from '../../src/engines/process/supervisor.ts';
import { VllmRefusesModel } from '../../src/engines/vllm/vllm-process.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { VllmMissing, VllmUnusable } from '../../src/engines/vllm/installed.ts';
import { DeviceMemoryTooSmall, type ServingNeeds, servingNeeds } from '../../src/engines/vllm/needs.ts';
import { isAlive } from '../../src/store/files/atomic.ts';
import { tunedModel } from '../../src/store/models.ts';
import { adapterNamed, baseNamed, modelNamed } from '../support/models.ts';
import { oneRequest } from './fixtures/http-server.ts';
import { groupAlive, groupGone } from './fixtures/processes.ts';
import { errorOf } from '../support/error-of.ts';

const program = fileURLToPath(new URL('./fixtures/vllm.mjs', import.meta.url));
const { signal } = new AbortController();
const base = modelNamed('a/model');
const { model: _, ...request } = oneRequest;
const needs: ServingNeeds = { adapters: 2, rank: 4, modules: ['q_proj', 'lm_head'], context: 500 };
const opened: { readonly close: () => Promise<void> }[] = [];

type Start = { readonly pid: number; readonly args: readonly string[]; readonly env: Record<string, string> };

/** A program in a folder of its own. @param behaviour of the fixture */
function standIn(behaviour: Readonly<Record<string, unknown>>) {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-vllm-'));
  const startsFile = join(folder, 'starts');
  const command = join(folder, 'vllm');
  const { version = '0.32.0+cpu', ...how } = behaviour;
  const lines = [
    `if [ "$1" = --version ]; then echo a library says hello; echo ${String(version)}; exit; fi`,
    `exec ${process.execPath} ${program} '${JSON.stringify({ ...how, startsFile })}' "$@"`,
  ];
  script(command, lines.join('\n'));
  const starts = (): Start[] =>
    readFileSync(startsFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Start);
  return { command, starts, folder };
}

function own(
  behaviour: Readonly<Record<string, unknown>> = {},
  config: Partial<VllmConfig> = {},
  options: EndpointDeps['vllm'] = {},
) {
  const { command, starts, folder } = standIn(behaviour);
  const deps = { logFolder: folder, modelFolder: async () => folder, vllm: { graceMs: 300, ...options } };
  const endpoint = openEndpoint({ kind: 'vllm', command, ...config }, 'a/model', deps);
  endpoint.expect?.('an experiment', needs);
  opened.push(endpoint);
  return { endpoint, starts, folder, command };
}

function script(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

/** The machine has two cards of 24 GB, as its nvidia-smi says. */
function onTwoCards(): void {
  const bin = mkdtempSync(join(tmpdir(), 'colloquy-card-'));
  script(join(bin, 'nvidia-smi'), 'echo "0, A card, 24576, 20480"; echo "1, A card, 24576, 24000"');
  vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
});

const flagOf = ({ args }: Start, name: string): string | undefined => args[args.indexOf(name) + 1];
const leaderOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2]);

describe('a vLLM that the worker runs', () => {
  it('is started once, for what its experiments need', async () => {
    const { endpoint, starts } = own({}, { args: ['--max-num-seqs', '7'] });
    await Promise.all(Array.from({ length: 8 }, () => endpoint.chat(base, request, signal)));
    const [start, ...more] = starts();
    expect(more).toEqual([]);
    expect(start!.args.join(' ')).toMatch(
      /--max-model-len 500 .*--max-loras 3 --max-lora-rank 8 --max-cpu-loras 5 --lora-target-modules q_proj --dtype .*--max-num-seqs 7$/,
    );
    expect(start!.env).toMatchObject({ VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True', VLLM_NO_USAGE_STATS: '1' });
  });

  it('survives a kill -9: nothing is left of the old processes, and the next has the adapters', async () => {
    const { endpoint, starts } = own({ core: true });
    const { text: first } = await endpoint.chat(adapterNamed('a'), request, signal);
    const leader = leaderOf(Number(first));
    process.kill(Number(first), 'SIGKILL');
    const { text: second } = await endpoint.chat(adapterNamed('a'), request, signal);
    expect(starts().map(({ pid }) => String(pid))).toEqual([first, second]);
    await groupGone(leader);
  });

  it.each([
    ['closed its port', { closesAtAnswer: true }],
    ['lost the process of its engine', { losesCore: true }],
  ])('that has %s and lives on is ended, and started again', async (_, behaviour) => {
    const { endpoint, starts } = own(behaviour);
    const answers = await Promise.all([1, 2, 3].map(() => endpoint.chat(base, request, signal)));
    const [first, second, ...more] = starts();
    expect(more).toEqual([]);
    expect(answers.map(({ text }) => text)).toEqual(Array(3).fill(String(second!.pid)));
    expect(isAlive(first!.pid)).toBe(false);
  });

  it('is started again for an experiment that needs more, and not for one that needs less', async () => {
    const { endpoint, starts } = own();
    await endpoint.check();
    endpoint.expect?.('a small one', { ...needs, adapters: 0, rank: 1, context: 100 });
    await endpoint.check();
    endpoint.expect?.('a large one', { ...needs, rank: 20, context: 900 });
    await endpoint.check();
    expect(starts().map((start) => flagOf(start, '--max-lora-rank'))).toEqual(['8', '32']);
    expect(starts().map((start) => flagOf(start, '--max-loras'))).toEqual(['3', '5']);
    expect(starts().map((start) => flagOf(start, '--max-model-len'))).toEqual(['500', '900']);
  });

  it('has no more adapters than its experiments need, over many iterations', async () => {
    const { endpoint, starts } = own();
    const client = async () => {
      const port = flagOf(starts()[0]!, '--port');
      const client = createChatClient({ url: `http://127.0.0.1:${port}/v1` });
      const models = await client.listModels(signal);
      client.close();
      return models.length - 2;
    };
    for (const digit of ['1', '2', '3', '4', '5', '6', '7', '8', '9']) {
      await endpoint.chat(adapterNamed(digit), request, signal);
      expect(await client()).toBeLessThanOrEqual(2);
    }
  });

  it('of a model with a shorter context is started again with that', async () => {
    const { endpoint, starts } = own({ context: 256 });
    await endpoint.check();
    expect(starts().map((start) => flagOf(start, '--max-model-len'))).toEqual(['500', '256']);
  });

  it('is not taken for ready when another server answers on its port', async () => {
    const { endpoint } = own({ isAnother: true }, {}, { startTimeoutMs: 700 });
    expect(await errorOf(endpoint.check())).toBeInstanceOf(EngineDied);
  });

  it('that dies three times before it is ready is given up, with the cause in its log', async () => {
    const { endpoint, starts } = own({ dies: 'RuntimeError: einsum(): subscript b has size 29' });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(EngineDied);
    expect(error.message).toMatch(
      /a\/model exited with 1. It has died 3 times in a row[^]*cause in its log: RuntimeError: einsum/,
    );
    expect(starts()).toHaveLength(3);
  });

  it('that dies once for a passing reason is started again', async () => {
    const { endpoint, starts } = own({ dies: 'OSError: [Errno 98] Address already in use', diesTimes: 1 });
    await endpoint.check();
    const [first, second] = starts();
    expect(flagOf(first!, '--port')).not.toBe(flagOf(second!, '--port'));
  });

  it.each([
    'ValueError: The model architecture Foo is not supported',
    'OSError: You are trying to access a gated repo.',
  ])('that says "%s" is given up at once, in its own words', async (dies) => {
    const { endpoint, starts } = own({ dies });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(VllmRefusesModel);
    expect(error).toMatchObject({ message: expect.stringContaining(dies), retryable: false });
    expect(starts()).toHaveLength(1);
  });

  it('without memory for its model says how much there is', async () => {
    const { endpoint } = own({ dies: 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB' });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(DeviceMemoryTooSmall);
    expect(error.message).toMatch(/a\/model needs more .* of this host's memory, and [\d.]+ GiB are free/);
  });

  it('leaves nothing behind when its endpoint is closed while it starts', async () => {
    const { endpoint, starts } = own({ core: true, staysDeaf: true, ignoresTerm: true });
    const checking = errorOf(endpoint.check());
    await vi.waitUntil(() => begun(starts) > 0, { timeout: 15_000 });
    const leader = leaderOf(starts()[0]!.pid);
    await endpoint.close();
    await checking;
    expect(groupAlive(leader)).toBe(false);
  });

  it('takes a port of its own beside another one', async () => {
    const [a, b] = [own(), own()];
    await Promise.all([a.endpoint.check(), b.endpoint.check()]);
    expect(flagOf(a.starts()[0]!, '--port')).not.toBe(flagOf(b.starts()[0]!, '--port'));
  });

  it('of a version that is too old is not started', async () => {
    const { endpoint } = own({ version: '0.9.2' });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(VllmUnusable);
    expect(error.message).toMatch(/it is version 0\.9\.2, and the oldest/);
  });

  it('that is not installed says how to install it', async () => {
    const { endpoint } = own({}, { command: '/no/vllm' });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(VllmMissing);
    expect(error).toMatchObject({ workerLacksIt: true });
    expect(error.message).toMatch(/no vLLM at \/no\/vllm.*uv tool install vllm/);
  });
});

describe('whole models on a vLLM that the worker runs', () => {
  const config = resolveConfig({
    preset: 'paper-full',
    model: { endpoint: 'gpu', model_name_or_path: 'a/model' },
  });

  /** @param resident how many are in memory at once */
  function wholeModels(resident: number, behaviour: Readonly<Record<string, unknown>> = {}) {
    const { command, starts, folder } = standIn(behaviour);
    const endpoints = createEndpoints(
      { gpu: { kind: 'vllm', command, resident } },
      { logFolder: folder, modelFolder: async (key) => join(folder, key), vllm: { graceMs: 300 } },
    );
    opened.push(endpoints);
    endpoints.expect('an experiment', config);
    const model = (digit: string) => {
      const key = digit.repeat(64);
      mkdirSync(join(folder, key), { recursive: true });
      writeFileSync(
        join(folder, key, 'manifest.json'),
        JSON.stringify({ files: { 'model.safetensors': { sha256: key, bytes: 1 } } }),
      );
      return tunedModel(baseNamed('a/model', 'gpu'), key, 'full');
    };
    const askAt = async (endpoint: Endpoint, digit: string): Promise<number> => {
      const { text } = await endpoint.slots.use(() => endpoint.chat(model(digit), request, signal), signal);
      return Number(text);
    };
    const ask = async (digit: string): Promise<number> => askAt(await endpoints.of(model(digit)), digit);
    /** Asks all of them at once, in this order: finding a model's endpoint reads a file, which takes now longer, now shorter. */
    const askAll = async (digits: readonly string[]): Promise<number[]> => {
      const found = await Promise.all(
        digits.map(async (digit) => ({ digit, endpoint: await endpoints.of(model(digit)) })),
      );
      return Promise.all(found.map(({ digit, endpoint }) => askAt(endpoint, digit)));
    };
    return { endpoints, model, ask, askAll, starts, folder };
  }

  it('are each served by a process of their own, for what the experiment needs, and take turns', async () => {
    const { endpoints, model, askAll, starts, folder } = wholeModels(1);
    const answering = await askAll(['a', 'b', 'a', 'b', 'a']);
    expect(starts().map(({ args }) => args[1])).toEqual(
      ['a', 'b'].map((digit) => join(folder, digit.repeat(64))),
    );
    const [a, b] = starts().map(({ pid }) => pid);
    expect(answering).toEqual([a, b, a, b, a]);
    expect([a, b].map((pid) => isAlive(pid!))).toEqual([false, true]);
    expect(endpoints.takeTurns([model('a'), model('b')])).toBe(true);
    for (const start of starts()) {
      expect(start.args).not.toContain('--enable-lora');
      expect(flagOf(start, '--max-model-len')).toBe(String(servingNeeds(config).context));
    }
  });

  it('stay in memory together where there is room, and the one asked longest ago makes room', async () => {
    const { endpoints, model, ask, starts } = wholeModels(2);
    expect(endpoints.takeTurns([model('a'), model('b')])).toBe(false);
    for (const digit of ['a', 'b', 'a', 'b', 'c', 'b']) await ask(digit);
    expect(starts()).toHaveLength(3);
    await ask('a');
    expect(starts()).toHaveLength(4);
  });

  it('sleep on a graphics card until their next turn, which needs no start', async () => {
    onTwoCards();
    const { endpoints, ask, starts } = wholeModels(1, { version: '0.32.0' });
    const answering: number[] = [];
    for (const digit of ['a', 'b', 'a', 'b']) answering.push(await ask(digit));
    const [a, b] = starts().map(({ pid }) => pid);
    expect(answering).toEqual([a, b, a, b]);
    // Before all weights are trained, those that sleep are ended too.
    await endpoints.yieldDevice(true);
    expect([a, b].map((pid) => isAlive(pid!))).toEqual([false, false]);
    await endpoints.takeDevice();
    await ask('a');
    expect(starts()).toHaveLength(3);
  });

  it.each([
    ['that give another answer after their sleep are started again', { wakesOtherwise: true }],
    ['that cannot sleep are started again', { canSleep: false }],
  ])('%s', async (_, behaviour) => {
    onTwoCards();
    const { ask, starts } = wholeModels(1, { version: '0.32.0', ...behaviour });
    for (const digit of ['a', 'b', 'a']) await ask(digit);
    expect(starts()).toHaveLength(3);
  });
});

describe('a vLLM on the graphics card of the fine-tunes', () => {
  function onCard(behaviour: Readonly<Record<string, unknown>>, config: Partial<VllmConfig> = {}) {
    onTwoCards();
    return own({ version: '0.32.0', ...behaviour }, config);
  }

  it('sleeps while a fine-tune has it, and wakes up', async () => {
    const { endpoint, starts } = onCard({});
    await endpoint.check();
    expect(starts()[0]!.args).toContain('--enable-sleep-mode');
    expect(flagOf(starts()[0]!, '--gpu-memory-utilization')).toBe('0.79');
    await endpoint.yieldDevice(false);
    const answering = endpoint.check();
    await endpoint.takeDevice();
    await answering;
    expect(starts()).toHaveLength(1);
  });

  it.each([
    ['cannot sleep', { canSleep: false }],
    ['answers otherwise after its sleep', { wakesOtherwise: true }],
  ])('that %s is ended, and started again after the fine-tune', async (_, behaviour) => {
    const { endpoint, starts } = onCard(behaviour);
    await endpoint.check();
    await endpoint.yieldDevice(false);
    await endpoint.takeDevice();
    await endpoint.check();
    expect(starts()).toHaveLength(2);
  });

  it('is not started for a model that is too large for its share of the card', async () => {
    const { command, folder } = onCard({});
    const weights = join(folder, 'model.safetensors');
    writeFileSync(weights, '');
    truncateSync(weights, 14 * 2 ** 30);
    const endpoint = openEndpoint({ kind: 'vllm', command, resident: 3 }, folder, {
      logFolder: folder,
      modelFolder: async () => folder,
    });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(DeviceMemoryTooSmall);
    // float32 in its file is half as large in bfloat16; of 24 GB, each of three models has 8.
    expect(error.message).toMatch(/at least 8\.7 GiB of the graphics card, and 8\.0 GiB are free.*resident/);
  });

  it('gives its memory up for a fine-tune that needs all of it', async () => {
    const { endpoint, starts } = onCard({});
    await endpoint.check();
    await endpoint.yieldDevice(true);
    expect(isAlive(starts()[0]!.pid)).toBe(false);
    await endpoint.takeDevice();
    await endpoint.check();
    expect(starts()).toHaveLength(2);
  });

  /** What can be asked of a vLLM outside the slots: as an experiment is prepared, for its diversity, to tidy up. */
  const adapter = adapterNamed('a');
  const longest = { messages: [{ role: 'user', content: '1+1' }] as const, answers: 0 };
  const asked = {
    'a check': (endpoint) => endpoint.check(),
    'an examination': (endpoint) =>
      endpoint.examine({ maxTokens: 9, longest, scores: false, template: {} }, signal),
    'a trial of an adapter': (endpoint) => endpoint.tryAdapter('/an/adapter', 1, signal),
    'a proof': (endpoint) => endpoint.serve([base, adapterNamed('b')], signal),
    'a score': (endpoint) =>
      endpoint.score(adapter, { messages: longest.messages, responses: ['2'] }, signal),
    'an embedding': (endpoint) => endpoint.embed(['a word'], signal),
    'a check of training': (endpoint) =>
      endpoint.checkTraining({ examples: [], lora_target_modules: ['q_proj'] }, signal),
    'an unloading': (endpoint) => endpoint.unload(async () => true, signal),
  } satisfies Record<string, (endpoint: Endpoint) => Promise<unknown>>;

  it('gives all answers before it sleeps, and begins none until it is awake', async () => {
    const { endpoint, folder } = onCard({ slowMs: 10 });
    await endpoint.serve([base, adapter], signal);
    const requests = (): string[] => readFileSync(join(folder, 'starts.requests'), 'utf8').trim().split('\n');
    for (const [name, ask] of Object.entries(asked)) {
      const known = requests().length;
      const first = ask(endpoint);
      await vi.waitUntil(() => requests().length > known);
      await endpoint.yieldDevice(false);
      const second = ask(endpoint);
      await endpoint.takeDevice();
      await Promise.all([first, second]);
      const seen = requests().slice(known);
      const [sleep, wake] = ['/sleep?level=1 begun', '/wake_up begun'].map((line) => seen.indexOf(line));
      const before = seen.slice(0, sleep);
      expect(before.filter((line) => line.endsWith('begun')).length, name).toBe(before.length / 2);
      expect(seen.slice(sleep! + 1, wake! < 0 ? undefined : wake), name).toEqual(['/sleep?level=1 answered']);
    }
  });

  it('is not started while a fine-tune has it', async () => {
    const { endpoint, starts } = onCard({});
    await endpoint.yieldDevice(false);
    const checking = endpoint.check();
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun(starts)).toBe(0);
    await endpoint.takeDevice();
    await checking;
  });

  it('is not started for an experiment that comes while a fine-tune has it, unless it has cards of its own', async () => {
    onTwoCards();
    vi.stubEnv('CUDA_VISIBLE_DEVICES', '0');
    const [shared, apart] = [standIn({ version: '0.32.0' }), standIn({ version: '0.32.0' })];
    const endpoints = createEndpoints(
      {
        shared: { kind: 'vllm', command: shared.command },
        apart: { kind: 'vllm', command: apart.command, devices: [1] },
      },
      { logFolder: shared.folder, modelFolder: async () => shared.folder, vllm: { graceMs: 300 } },
    );
    opened.push(endpoints);
    await endpoints.yieldDevice(false);
    const waiting = endpoints.for({ endpoint: 'shared', name: 'a/model' }).check();
    await endpoints.for({ endpoint: 'apart', name: 'a/model' }).check();
    expect([begun(shared.starts), begun(apart.starts)]).toEqual([0, 1]);
    await endpoints.takeDevice();
    await waiting;
    expect(begun(shared.starts)).toBe(1);
  });

  it('stays awake on cards of its own', async () => {
    vi.stubEnv('CUDA_VISIBLE_DEVICES', '0');
    const { endpoint, starts } = onCard({}, { devices: [1] });
    await endpoint.check();
    await endpoint.yieldDevice(false);
    expect((await endpoint.slots.use(() => endpoint.chat(base, request, signal), signal)).text).not.toBe('');
    expect(starts()[0]).toMatchObject({ env: { CUDA_VISIBLE_DEVICES: '1' } });
    expect(starts()[0]!.args).not.toContain('--enable-sleep-mode');
    await endpoint.takeDevice();
  });
});

function begun(starts: () => unknown[]): number {
  try {
    return starts().length;
  } catch {
    return 0;
  }
}
