import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AdapterWithoutEffect } from '../../src/engines/errors.ts';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { createLoadedAdapters, type LoadedAdapters } from '../../src/engines/endpoint/adapters.ts';
import { completion, json, oneRequest, serve } from './fixtures/http-server.ts';
import { startVllm } from './fixtures/vllm-server.ts';

const { signal } = new AbortController();

function adapter(digit: string): string {
  return digit.repeat(64);
}

function adaptersOf(
  server: { readonly url: string },
  limit = 48,
): { adapters: LoadedAdapters; ask: (name: string) => Promise<string> } {
  const client = createChatClient({ url: server.url });
  const request = { messages: [], seed: 1, temperature: 1, top_p: 1, max_tokens: 25 };
  return {
    adapters: createLoadedAdapters(
      client,
      'base',
      async (key) => `/models/${key}`,
      () => limit,
    ),
    ask: async (model) => (await client.complete({ ...request, model }, signal)).text,
  };
}

it('an adapter is loaded once, under the first digits of its content address, for all who ask for it', async () => {
  await using server = await startVllm();
  const { adapters, ask } = adaptersOf(server);
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => adapters.use(adapter('a'), 'base-hash', signal, ask)),
  );
  expect(new Set(answers)).toEqual(new Set(['colloquy-aaaaaaaaaaaaaaaa']));
  expect(server.count('load_lora_adapter')).toBe(1);
});

it('an adapter that another worker has loaded already is used', async () => {
  await using server = await startVllm();
  server.adapters.set('colloquy-aaaaaaaaaaaaaaaa', '/of/another/worker');
  const { adapters, ask } = adaptersOf(server);
  expect(await adapters.use(adapter('a'), 'base-hash', signal, ask)).toBe('colloquy-aaaaaaaaaaaaaaaa');
});

it('an adapter that the server loads but ignores is detected by its canary', async () => {
  await using server = await startVllm({ ignoresAdapters: /./ });
  const { adapters, ask } = adaptersOf(server);
  await expect(adapters.use(adapter('a'), 'base-hash', signal, ask)).rejects.toBeInstanceOf(
    AdapterWithoutEffect,
  );
});

it('a load that failed is tried again by who comes next', async () => {
  await using server = await startVllm({ failsToLoad: 1 });
  const { adapters, ask } = adaptersOf(server);
  await expect(adapters.use(adapter('a'), 'base-hash', signal, ask)).rejects.toMatchObject({
    name: 'EngineFailed',
  });
  expect(await adapters.use(adapter('a'), 'base-hash', signal, ask)).toContain('aaaa');
});

it('many who find an adapter forgotten have it loaded again once', async () => {
  await using server = await startVllm();
  const { adapters, ask } = adaptersOf(server);
  await adapters.use(adapter('a'), 'base-hash', signal, ask);
  server.adapters.delete('colloquy-aaaaaaaaaaaaaaaa');
  await Promise.all(Array.from({ length: 9 }, () => adapters.use(adapter('a'), 'base-hash', signal, ask)));
  expect(server.count('load_lora_adapter')).toBe(2);
});

it('a model that stays unknown is a refusal, not a loop', async () => {
  await using server = await startVllm();
  const { adapters, ask } = adaptersOf(server);
  const asking = adapters.use(adapter('a'), 'base-hash', signal, () => ask('another'));
  await expect(asking).rejects.toMatchObject({ name: 'EngineRefused', status: 404 });
});

it('above the limit the adapter used longest ago is unloaded, but none that is in use', async () => {
  await using server = await startVllm();
  const { adapters, ask } = adaptersOf(server, 2);
  let finish = (): void => undefined;
  const longAnswer = new Promise<void>((resolve) => (finish = resolve));
  const busy = adapters.use(adapter('a'), 'base-hash', signal, () => longAnswer);
  for (const digit of ['b', 'c', 'd', 'c', 'e']) await adapters.use(adapter(digit), 'base-hash', signal, ask);
  expect([...server.adapters.keys()].map((name) => name.slice(-1)).toSorted()).toEqual(['a', 'e']);
  finish();
  await busy;
  await adapters.use(adapter('f'), 'base-hash', signal, ask);
  expect([...server.adapters.keys()].map((name) => name.slice(-1)).toSorted()).toEqual(['e', 'f']);
});

it('who no longer waits for a load does not end it for the others', async () => {
  await using server = await startVllm();
  const { adapters, ask } = adaptersOf(server);
  const abort = new AbortController();
  const given = adapters.use(adapter('a'), 'base-hash', abort.signal, ask);
  const other = adapters.use(adapter('a'), 'base-hash', signal, ask);
  abort.abort(new Error('cancelled'));
  await expect(given).rejects.toThrow('cancelled');
  expect(await other).toContain('aaaa');
});

it('a name that was given to other weights is loaded again, and never answers as the adapter meanwhile', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-adapter-'));
  const own = 'f'.repeat(64);
  const manifest = { files: { 'adapter_model.safetensors': { sha256: own, bytes: 1 } } };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  let served = 'of someone else';
  let loads = 0;
  await using server = await serve((response, { path, body }) => {
    if (path === '/v1/unload_lora_adapter') served = '';
    if (path === '/v1/load_lora_adapter') {
      loads += 1;
      if (served !== '') return json(response, { error: { message: 'has already been loaded' } }, 400);
      served = own;
    }
    const name = String(body['model']);
    response.setHeader('Colloquy-Weights', name === 'base' ? 'base-hash' : `base-hash+${served}`);
    json(response, { ...completion(name), prompt_logprobs: [null, { 1: { logprob: -name.length } }] });
  });
  const client = createChatClient({ url: server.url });
  const adapters = createLoadedAdapters(client, 'base', async () => folder);
  const { model: _, ...request } = oneRequest;
  const ask = async (model: string) => (await client.complete({ ...request, model }, signal)).text;
  const use = (base = 'base-hash') => adapters.use(adapter('a'), base, signal, ask);
  await use();
  expect({ served, loads }).toEqual({ served: own, loads: 2 });
  // Later too: another program has taken the name.
  served = 'of someone else';
  await Promise.all([use(), use(), use()]);
  expect({ served, loads }).toEqual({ served: own, loads: 4 });
  // A server that has loaded another base model cannot be helped from here.
  client.expectWeights('base', { base: 'another base', adapter: undefined });
  await expect(client.complete({ ...request, model: 'base' }, signal)).rejects.toThrow('other weights');
});
