import { expect, it } from 'vitest';
import { AdapterWithoutEffect } from '../../src/engines/errors.ts';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { createLoadedAdapters, type LoadedAdapters } from '../../src/engines/endpoint/adapters.ts';
import { type Asked, completion, json, serve, type TestServer } from './fixtures/http-server.ts';

const { signal } = new AbortController();

function adapter(digit: string): string {
  return digit.repeat(64);
}

/** A server in the manner of vLLM, whose adapters change the probabilities unless told that it ignores them. */
async function vllm({ ignoresAdapters = false, failsToLoad = 0 } = {}) {
  const known = new Set(['base']);
  let failures = failsToLoad;
  const server = await serve((response, { path, body }) => {
    const name = String(body['lora_name'] ?? body['model']);
    if (path === '/v1/load_lora_adapter') {
      if (failures-- > 0) return json(response, { error: { message: 'cannot read' } }, 500);
      if (known.has(name))
        return json(response, { error: { message: `${name} has already been loaded` } }, 400);
      known.add(name);
      response.end('Success');
    } else if (path === '/v1/unload_lora_adapter') {
      known.delete(name);
      response.end('Success');
    } else if (!known.has(name)) {
      json(response, { error: { message: 'does not exist', code: 404 } }, 404);
    } else {
      const logprob = ignoresAdapters ? -1 : -name.length - Number(`0x${name.slice(-1)}`) / 16;
      json(response, { ...completion(name), prompt_logprobs: [null, { 1: { logprob } }] });
    }
  });
  return { server, known };
}

function adaptersOf(
  server: TestServer,
  limit?: number,
): { adapters: LoadedAdapters; ask: (name: string) => Promise<string> } {
  const client = createChatClient({ url: server.url });
  const request = { messages: [], seed: 1, temperature: 1, top_p: 1, max_tokens: 1 };
  return {
    adapters: createLoadedAdapters(client, 'base', (key) => `/models/${key}`, limit),
    ask: async (model) => (await client.complete({ ...request, model }, signal)).text,
  };
}

function count(server: TestServer, what: string): number {
  return server.asked.filter(({ path }: Asked) => path === `/v1/${what}`).length;
}

it('an adapter is loaded once, under the first digits of its content address, for all who ask for it', async () => {
  const { server } = await vllm();
  await using _ = server;
  const { adapters, ask } = adaptersOf(server);
  const answers = await Promise.all(Array.from({ length: 5 }, () => adapters.use(adapter('a'), signal, ask)));
  expect(new Set(answers)).toEqual(new Set(['colloquy-aaaaaaaaaaaaaaaa']));
  expect(count(server, 'load_lora_adapter')).toBe(1);
});

it('an adapter that another worker has loaded already is used', async () => {
  const { server, known } = await vllm();
  await using _ = server;
  known.add('colloquy-aaaaaaaaaaaaaaaa');
  const { adapters, ask } = adaptersOf(server);
  expect(await adapters.use(adapter('a'), signal, ask)).toBe('colloquy-aaaaaaaaaaaaaaaa');
});

it('an adapter that the server loads but ignores is told by its canary', async () => {
  const { server } = await vllm({ ignoresAdapters: true });
  await using _ = server;
  const { adapters, ask } = adaptersOf(server);
  await expect(adapters.use(adapter('a'), signal, ask)).rejects.toBeInstanceOf(AdapterWithoutEffect);
});

it('a load that failed is tried again by who comes next', async () => {
  const { server } = await vllm({ failsToLoad: 1 });
  await using _ = server;
  const { adapters, ask } = adaptersOf(server);
  await expect(adapters.use(adapter('a'), signal, ask)).rejects.toMatchObject({ name: 'EngineFailed' });
  expect(await adapters.use(adapter('a'), signal, ask)).toContain('aaaa');
});

it('many who find an adapter forgotten have it loaded again once', async () => {
  const { server, known } = await vllm();
  await using _ = server;
  const { adapters, ask } = adaptersOf(server);
  await adapters.use(adapter('a'), signal, ask);
  known.delete('colloquy-aaaaaaaaaaaaaaaa');
  await Promise.all(Array.from({ length: 9 }, () => adapters.use(adapter('a'), signal, ask)));
  expect(count(server, 'load_lora_adapter')).toBe(2);
});

it('a model that stays unknown is a refusal, not a loop', async () => {
  const { server } = await vllm();
  await using _ = server;
  const { adapters, ask } = adaptersOf(server);
  const asking = adapters.use(adapter('a'), signal, () => ask('another'));
  await expect(asking).rejects.toMatchObject({ name: 'EngineRefused', status: 404 });
});

it('above the limit the adapter used longest ago is unloaded, but none that is in use', async () => {
  const { server, known } = await vllm();
  await using _ = server;
  const { adapters, ask } = adaptersOf(server, 2);
  let finish = (): void => undefined;
  const longAnswer = new Promise<void>((resolve) => (finish = resolve));
  const busy = adapters.use(adapter('a'), signal, () => longAnswer);
  for (const digit of ['b', 'c', 'd', 'c', 'e']) await adapters.use(adapter(digit), signal, ask);
  expect([...known].map((name) => name.slice(-1)).toSorted()).toEqual(['a', 'e', 'e']);
  finish();
  await busy;
  await adapters.use(adapter('f'), signal, ask);
  expect([...known].map((name) => name.slice(-1)).toSorted()).toEqual(['e', 'e', 'f']);
});

it('who no longer waits for a load does not end it for the others', async () => {
  const { server } = await vllm();
  await using _ = server;
  const { adapters, ask } = adaptersOf(server);
  const abort = new AbortController();
  const given = adapters.use(adapter('a'), abort.signal, ask);
  const other = adapters.use(adapter('a'), signal, ask);
  abort.abort(new Error('cancelled'));
  await expect(given).rejects.toThrow('cancelled');
  expect(await other).toContain('aaaa');
});
