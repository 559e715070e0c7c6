/**
 * Real vLLM servers that somebody else has started, with the plugin of engine/vllm_resolver: adapters are found by their names, and two
 * servers are one endpoint.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { freePort, type ProcessGroup, startProcessGroup } from '../../src/engines/process/process-group.ts';
import type { Model } from '../../src/store/models.ts';
import { embeddedModel, makeAdapter, modelFolder } from '../engines/fixtures/adapter.ts';
import { modelNamed } from '../support/models.ts';
import { command } from './real-vllm.ts';

const { signal } = new AbortController();
const work = mkdtempSync(join(tmpdir(), 'colloquy-replicas-'));
const store = join(work, 'runs');
const base = modelNamed(embeddedModel);

/** As the trainer and the store leave it, under a path that no worker here names. */
async function stored(adapter: Model, name = adapter.tuned?.key ?? ''): Promise<string> {
  const folder = join(store, 'models', name);
  cpSync(await modelFolder(adapter.tuned?.key ?? ''), folder, { recursive: true });
  const facts = (file: string) => {
    const content = readFileSync(join(folder, file));
    return { sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length };
  };
  const names = ['adapter_config.json', 'adapter_model.safetensors'];
  const files = Object.fromEntries(names.map((file) => [file, facts(file)]));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ files }));
  writeFileSync(
    join(folder, 'manifest.json.ref.json'),
    JSON.stringify({ ...facts('manifest.json'), rows: 1 }),
  );
  return folder;
}

const flags = [
  `serve ${embeddedModel} --host 127.0.0.1 --dtype float32 --generation-config vllm --max-model-len 1024`,
  '--no-enable-chunked-prefill --max-num-batched-tokens 8192',
  '--enable-lora --max-lora-rank 8 --max-loras 16 --max-cpu-loras 16',
  '--lora-target-modules q_proj k_proj v_proj o_proj gate_proj up_proj down_proj',
].flatMap((line) => line.split(' '));

type Server = { readonly url: string; readonly group: ProcessGroup; readonly log: string };
const servers: Server[] = [];

async function startServer(): Promise<Server> {
  const port = await freePort();
  const log = join(work, `vllm-${port}.log`);
  const group = await startProcessGroup(command, flags.concat('--port', String(port)), {
    cwd: projectRoot,
    logFile: log,
    guarded: { graceMs: 5_000 },
    settings: {
      PYTHONPATH: join(work, 'plugin'),
      COLLOQUY_STORE: store,
      COLLOQUY_ADAPTER_CACHE: join(work, 'cache'),
      VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True',
      VLLM_CPU_KVCACHE_SPACE: '1',
      VLLM_NO_USAGE_STATS: '1',
      HF_HUB_OFFLINE: '1',
    },
  });
  const url = `http://127.0.0.1:${port}/v1`;
  const server = { url, group, log };
  servers.push(server);
  const isUp = () =>
    fetch(new URL('/health', url)).then(
      ({ ok }) => ok,
      () => false,
    );
  await vi.waitUntil(isUp, { timeout: 900_000, interval: 500 });
  return server;
}

function endpointAt(url: string | string[]): Endpoint {
  return openEndpoint({ kind: 'vllm', url }, embeddedModel, {
    logFolder: work,
    // The servers do not see the folders of this worker.
    modelFolder: async (key) => `/not/here/${key}`,
  });
}

function request(seed: number): Parameters<Endpoint['chat']>[1] {
  const messages = [{ role: 'user', content: `12+${seed}*8-5` }] as const;
  return { messages, seed, temperature: 1, top_p: 0.9, max_tokens: 24 };
}

const seeds = Array.from({ length: 12 }, (_, seed) => seed + 1);
const answersOf = (endpoint: Endpoint, models: readonly Model[]) =>
  Promise.all(
    models.flatMap((model) =>
      seeds.map(async (seed) => (await endpoint.chat(model, request(seed), signal)).text),
    ),
  );

beforeAll(async () => {
  mkdirSync(store, { recursive: true });
  // A build leaves files beside its sources.
  const source = join(work, 'vllm_resolver');
  cpSync(join(projectRoot, 'engine/vllm_resolver'), source, { recursive: true });
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--no-build-isolation',
    '--target',
    join(work, 'plugin'),
  ];
  execFileSync(join(dirname(command), 'python'), [...pip, source], { stdio: 'inherit' });
  await startServer();
});
afterAll(async () => {
  await Promise.all(servers.map(({ group }) => group.stop(5_000)));
});

describe('a real vLLM with the plugin', () => {
  const log = () => readFileSync(servers[0]!.log, 'utf8');

  it('answers with adapters that it was never told to load, as it does with the same ones when it was', async () => {
    const adapters = [makeAdapter('b', 3), makeAdapter('c', -3)];
    for (const adapter of adapters) await stored(adapter);
    const endpoint = endpointAt(servers[0]!.url);
    await endpoint.serve(adapters, signal);
    const found = await answersOf(endpoint, adapters);
    const [ofFirst, ofSecond] = [found.slice(0, seeds.length), found.slice(seeds.length)];
    const each = [ofFirst, ofSecond, await answersOf(endpoint, [base])].map((texts) => texts.join());
    expect(new Set(each).size).toBe(3);
    expect(log()).toContain(
      "Resolved and loaded LoRA adapter 'colloquy-bbbbbbbbbbbbbbbb' using ColloquyResolver",
    );
    expect(log()).not.toMatch(/POST \/v1\/load_lora_adapter/);
    const client = createChatClient({ url: servers[0]!.url });
    const loaded: string[] = [];
    for (const { tuned } of adapters) {
      const name = `loaded-${tuned!.key.slice(0, 4)}`;
      await client.loadAdapter(name, await modelFolder(tuned!.key), signal);
      const answers = seeds.map((seed) => client.complete({ ...request(seed), model: name }, signal));
      loaded.push(...(await Promise.all(answers)).map(({ text }) => text));
      await client.unloadAdapter(name, signal);
    }
    client.close();
    expect(found).toEqual(loaded);
    await endpoint.close();
  });

  it('answers 404 for one that does not verify, and its log has the reason', async () => {
    const adapter = makeAdapter('d', 2);
    const weights = join(await stored(adapter), 'adapter_model.safetensors');
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(weights, bytes);
    const endpoint = endpointAt(servers[0]!.url);
    await expect(endpoint.serve([adapter], signal)).rejects.toMatchObject({
      name: 'AdapterNotFound',
      message: expect.stringContaining('answered 404'),
    });
    expect(log()).toMatch(
      /The adapter colloquy-d{16} is refused\. .*adapter_model\.safetensors has other bytes than the manifest\.json names/,
    );
    writeFileSync(
      weights,
      readFileSync(join(await modelFolder(adapter.tuned!.key), 'adapter_model.safetensors')),
    );
    await endpoint.serve([adapter], signal);
    await endpoint.close();
  });

  it('finds a made-up adapter of a trial under each of its names, and unloads it', async () => {
    const name = 'trial-6f0c1d5e-0f7b-4a53-9d0e-2f6f5a7c8b90.checkpoints';
    await stored(makeAdapter('1', 3), name);
    const endpoint = endpointAt(servers[0]!.url);
    expect(await endpoint.tryAdapter(`/not/here/${name}`, 2, signal)).toEqual([]);
    expect(log()).not.toContain('/not/here');
    await endpoint.close();
  });

  it('keeps the files of an adapter as long as it has it', async () => {
    const locks = () => readFileSync('/proc/locks', 'utf8').match(/FLOCK .*READ/g)?.length ?? 0;
    const before = locks();
    const endpoint = endpointAt(servers[0]!.url);
    await endpoint.unload(async () => true, signal);
    await vi.waitUntil(() => locks() < before, { timeout: 60_000 });
    await endpoint.close();
  });
});

it('two real vLLM servers answer as one does, also when one of them is killed', async () => {
  const adapters = [makeAdapter('e', 3), makeAdapter('f', -3)];
  for (const adapter of adapters) await stored(adapter);
  const models = [base, ...adapters];
  const second = await startServer();
  const one = endpointAt(servers[0]!.url);
  const both = endpointAt([servers[0]!.url, second.url]);
  expect(await both.check(signal)).toBe(null);
  await both.serve(models, signal);
  const alone = await answersOf(one, models);
  expect(await answersOf(both, models)).toEqual(alone);
  const answering = answersOf(both, models);
  await second.group.stop(0);
  expect(await answering).toEqual(alone);
  await Promise.all([one, both].map((endpoint) => endpoint.close()));
});
