/** A real vLLM that somebody else has started, without what an experiment needs: it is found before any question, with the flag to set. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import type { Needs } from '../../src/engines/endpoint/examination.ts';
import { resolveModel } from '../../src/engines/endpoint/base-model.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { freePort, startProcessGroup } from '../../src/engines/process/process-group.ts';
import { embeddedModel, makeAdapter, modelFolder } from '../engines/fixtures/adapter.ts';
import { oneRequest } from '../engines/fixtures/http-server.ts';
import { errorOf } from '../support/error-of.ts';
import { modelNamed } from '../support/models.ts';
import { command } from './real-vllm.ts';

const { signal } = new AbortController();
const base = modelNamed(embeddedModel);
const request = { ...oneRequest, seed: 1 };
const logFolder = mkdtempSync(join(tmpdir(), 'colloquy-flags-'));
const opened: Endpoint[] = [];

type Server = { readonly url: string; readonly stop: () => Promise<unknown> };

/** @param settings variables of its environment */
async function startVllm(
  args: readonly string[],
  settings: Readonly<Record<string, string>> = { VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' },
): Promise<Server> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v1`;
  const own = ['--served-model-name', embeddedModel, '--host', '127.0.0.1', '--port', String(port)];
  const onCpu = ['--dtype', 'float32', '--no-enable-chunked-prefill', '--max-num-batched-tokens', '8192'];
  const group = await startProcessGroup(
    command,
    ['serve', resolveModel(embeddedModel), ...own, ...onCpu, ...args],
    {
      logFile: join(logFolder, `${port}.log`),
      guarded: { graceMs: 20_000 },
      settings: { VLLM_CPU_KVCACHE_SPACE: '1', VLLM_NO_USAGE_STATS: '1', ...settings },
    },
  );
  const ended = group.exited.then(() => {
    throw new Error(`vLLM has ended: ${group.log.ending()}`);
  });
  const answers = vi.waitUntil(
    () =>
      fetch(`${url}/models`).then(
        () => true,
        () => false,
      ),
    { timeout: 900_000, interval: 500 },
  );
  await Promise.race([answers, ended]);
  ended.catch(() => undefined);
  return { url, stop: () => group.stop(20_000) };
}

function endpointAt({ url }: Server, apiKeyEnv?: string): Endpoint {
  const config = {
    kind: 'vllm',
    url,
    ...(apiKeyEnv === undefined ? {} : { api_key_env: apiKeyEnv }),
  } as const;
  const endpoint = openEndpoint(config, embeddedModel, { logFolder, modelFolder });
  opened.push(endpoint);
  return endpoint;
}

/** Has the server try an adapter as the preparation of an experiment does. */
async function tryAdapter(endpoint: Endpoint, other: Parameters<typeof makeAdapter>[2] = {}) {
  makeAdapter('9', 3, other);
  return endpoint.tryAdapter(await modelFolder('9'.repeat(64)), 2, signal);
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
});

describe('a vLLM with a key, a short context and small adapters', () => {
  let server: Server;
  beforeAll(async () => {
    const lora = ['--enable-lora', '--max-lora-rank', '8', '--max-loras', '3', '--max-cpu-loras', '6'];
    const modules = ['--lora-target-modules', 'q_proj', 'v_proj'];
    server = await startVllm([...lora, ...modules, '--max-model-len', '256', '--api-key', 'the-right-key']);
  });
  afterAll(() => server.stop());

  /** With the right key. */
  function usable(): Endpoint {
    vi.stubEnv('VLLM_TEST_KEY', 'the-right-key');
    return endpointAt(server, 'VLLM_TEST_KEY');
  }

  it('asks for api_key_env, or says that the key in it is wrong', async () => {
    expect((await errorOf(endpointAt(server).check(signal))).message).toMatch(/401.*api_key_env/);
    vi.stubEnv('WRONG_TEST_KEY', 'another-key');
    const wrong = await errorOf(endpointAt(server, 'WRONG_TEST_KEY').check(signal));
    expect(wrong.message).toMatch(/401/);
    expect(wrong.message).not.toContain('another-key');
    expect((await errorOf(endpointAt(server, 'UNSET_TEST_KEY').check(signal))).message).toMatch(
      /UNSET_TEST_KEY/,
    );
    await usable().check(signal);
  });

  it('takes an adapter that suits it, and says what it has too little of', async () => {
    expect(await tryAdapter(usable())).toEqual([]);
  });

  it.each([
    ['of a greater rank', { rank: 16 }, /--max-lora-rank 16/],
    ['of another base model', { hidden: 192 }, /belongs to another base model/],
    ['for a module that it has no LoRA for', { module: 'o_proj' }, /--lora-target-modules/],
  ])('refuses an adapter %s, with what to change', async (_, other, advice) => {
    const error = await errorOf(tryAdapter(usable(), other));
    expect(error).toMatchObject({ name: 'AdapterNotLoaded', retryable: false });
    expect(error.message).toMatch(advice);
    expect(await tryAdapter(usable())).toEqual([]);
  });

  it('has no room for the answers, or for the longest prompt of a debate', async () => {
    const longest = { messages: [{ role: 'user', content: '1+1' }], answers: 6 } as const;
    const needs = (maxTokens: number): Needs => ({ maxTokens, longest, scores: false, template: {} });
    const error = await errorOf(usable().examine(needs(256), signal));
    expect(error).toMatchObject({ name: 'MaxTokensTooLarge' });
    expect(error.message).toMatch(/--max-model-len/);
    const lacks = await usable().examine(needs(64), signal);
    expect(lacks.map(({ remedy }) => remedy).join()).toMatch(/--max-model-len/);
    expect(await usable().examine(needs(16), signal)).toEqual([]);
  });

  it('serves two endpoints at once: what one has loaded, the other may unload', async () => {
    const [one, other] = [usable(), usable()];
    const adapter = makeAdapter('8', 3);
    const first = await one.chat(adapter, request, signal);
    await other.unload(async (_, loadedHere) => !loadedHere, signal);
    const [again, ofBase] = [
      await one.chat(adapter, request, signal),
      await other.chat(base, request, signal),
    ];
    expect(again.text).toBe(first.text);
    expect(ofBase.text).not.toBe('');
  });
});

describe('a vLLM that loads no adapters', () => {
  it.each([
    ['--enable-lora', [], { VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' }],
    ['VLLM_ALLOW_RUNTIME_LORA_UPDATING=True', ['--enable-lora', '--max-lora-rank', '8'], {}],
  ] as const)('as it was started without %s says so', async (missing, args, settings) => {
    const server = await startVllm(['--max-model-len', '256', ...args], settings);
    try {
      const endpoint = endpointAt(server);
      await endpoint.check(signal);
      const error = await errorOf(tryAdapter(endpoint));
      expect(error).toMatchObject({ name: 'AdapterNotLoaded', retryable: false });
      expect(error.message).toContain(missing);
    } finally {
      await server.stop();
    }
  });
});
