/** An endpoint of several servers, each a small server that behaves as vLLM was seen to. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import type { Needs } from '../../src/engines/endpoint/examination.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { isTooLong } from '../../src/engines/endpoint/refusals.ts';
import { onEvent } from '../../src/observe/events.ts';
import { errorOf } from '../support/error-of.ts';
import { adapterNamed, modelNamed } from '../support/models.ts';
import { until } from '../support/until.ts';
import {
  baseName,
  type Body,
  startVllm,
  type VllmServer,
  type VllmSettings,
} from './fixtures/vllm-server.ts';

const { signal } = new AbortController();
/** The weights of another model: its answer to the canary request is half a nat and more from the base model's. */
const other = 'another';
const base = modelNamed(baseName);
const adapters = ['a', 'b'].map((digit) => adapterNamed(digit, base.base));
const opened: { close(): Promise<void> }[] = [];

const leftOut: { url: string; reason: string }[] = [];
const back: string[] = [];
onEvent('server left out', (left) => leftOut.push(left));
onEvent('server back', ({ url }) => back.push(url));

type Replicas = { readonly servers: readonly [VllmServer, VllmServer]; readonly endpoint: Endpoint };

async function two(
  first: VllmSettings = {},
  second: VllmSettings = {},
  kind: 'vllm' | 'openai' = 'vllm',
): Promise<Replicas> {
  const servers = [await startVllm(first), await startVllm(second)] as const;
  opened.push(...servers.map((server) => ({ close: () => server.kill() })));
  return { servers, endpoint: endpointOf(servers, { kind, max_concurrency: 8 }) };
}

/** Is closed before the servers are. */
function endpointOf(
  servers: readonly VllmServer[],
  config: { readonly kind?: 'vllm' | 'openai'; readonly max_concurrency?: number } = {},
  options: { readonly patient?: boolean } = {},
): Endpoint {
  const url = servers.map((server) => server.url);
  const endpoint = openEndpoint({ kind: 'vllm', url, ...config }, baseName, {
    logFolder: '/nowhere',
    modelFolder: async (key) => `/store/models/${key}`,
    ...options,
  });
  opened.unshift(endpoint);
  return endpoint;
}

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
  leftOut.length = 0;
  back.length = 0;
});

type Request = Parameters<Endpoint['chat']>[1];
const sampling = { seed: 1, temperature: 1, top_p: 1, max_tokens: 25 };
const question = (number: number): Request => ({
  ...sampling,
  messages: [{ role: 'user', content: `Question ${number}?` }],
});
const questions = Array.from({ length: 24 }, (_, number) => question(number));
const needs: Needs = {
  maxTokens: 25,
  longest: { messages: question(1).messages, answers: 1 },
  scores: false,
  template: {},
};

/** The questions that a server has answered. */
function asked({ asked: all }: VllmServer): string[] {
  return all
    .filter(({ path, body }) => path === '/v1/chat/completions' && !('logprobs' in body))
    .map(({ body }) => (body['messages'] as { content: string }[])[0]?.content ?? '')
    .filter((content) => content.startsWith('Question'));
}

/** Asks until a server that was left out gets a request. */
async function untilBack(endpoint: Endpoint, url: string): Promise<void> {
  await until('the server is back', async () => {
    await endpoint.chat(base, question(1), signal);
    return back.includes(url);
  });
}

describe('the requests of a conversation', () => {
  it('go to one server, those of many conversations to all, and those of one model alike in another worker', async () => {
    const { servers, endpoint } = await two();
    const conversation = (number: number, rounds: number): Request => ({
      ...sampling,
      messages: [
        ...question(number).messages,
        ...Array.from({ length: rounds }, () => [
          { role: 'assistant', content: '1' } as const,
          { role: 'user', content: 'Again?' } as const,
        ]).flat(),
      ],
    });
    for (const rounds of [0, 1, 2])
      await Promise.all(
        questions.map((_, number) => endpoint.chat(base, conversation(number, rounds), signal)),
      );
    const shares = servers.map(asked);
    for (const share of shares) {
      expect(share.length).toBeGreaterThan(9);
      // All three requests of a conversation.
      for (const content of share) expect(share.filter((each) => each === content)).toHaveLength(3);
    }
    const other = endpointOf(servers);
    await Promise.all(questions.map((each) => other.chat(base, each, signal)));
    expect(servers.map(asked).map((share) => new Set(share))).toEqual(shares.map((share) => new Set(share)));
  });

  it('are answered alike, whichever server gets them', async () => {
    const { servers, endpoint } = await two();
    const alone = endpointOf([servers[1]]);
    const models = [base, ...adapters];
    const answersOf = (from: Endpoint) =>
      Promise.all(models.flatMap((model) => questions.map((each) => from.chat(model, each, signal))));
    expect(await answersOf(endpoint)).toEqual(await answersOf(alone));
  });

  it('are limited for each server', async () => {
    let most = 0;
    const watches: VllmSettings = {
      diesWith: ({ inFlight }) => {
        most = Math.max(most, inFlight.length);
        return false;
      },
    };
    const { endpoint } = await two(watches, watches);
    expect(endpoint.slots.count).toBe(16);
    await Promise.all(
      Array.from({ length: 64 }, (_, number) => endpoint.chat(base, question(number), signal)),
    );
    expect(most).toBeLessThanOrEqual(8);
  });
});

describe('a server that dies', () => {
  it('leaves its requests to the other one, and gets them again when it is back, with its adapters', async () => {
    const { servers, endpoint } = await two();
    await endpoint.serve(adapters, signal);
    const models = [base, ...adapters];
    const askAll = () =>
      Promise.all(models.flatMap((model) => questions.map((each) => endpoint.chat(model, each, signal))));
    const before = await askAll();
    const answering = askAll();
    await servers[0].kill();
    expect(await answering).toEqual(before);
    expect(leftOut).toMatchObject([{ url: servers[0].url, reason: expect.stringContaining('No answer') }]);
    expect(await askAll()).toEqual(before);
    await servers[0].start();
    await untilBack(endpoint, servers[0].url);
    const first = asked(servers[0]).length;
    expect(await askAll()).toEqual(before);
    expect(asked(servers[0]).length).toBeGreaterThan(first);
    expect([...servers[0].adapters.keys()].toSorted()).toEqual([
      'colloquy-aaaaaaaaaaaaaaaa',
      'colloquy-bbbbbbbbbbbbbbbb',
    ]);
    expect(leftOut).toHaveLength(1);
  });

  it('with the other one is waited for until one of them is back', async () => {
    const { servers, endpoint } = await two();
    await endpoint.chat(base, question(1), signal);
    await Promise.all(servers.map((server) => server.kill()));
    const waits: string[] = [];
    const answering = questions.map((each) =>
      endpoint.chat(base, each, signal, (_, outage) => {
        if (outage !== undefined) waits.push(outage.url);
      }),
    );
    await until('all wait', () => waits.length === questions.length);
    expect(new Set(waits)).toEqual(new Set([servers.map(({ url }) => url).join(', ')]));
    await servers[1].start();
    await Promise.all(answering);
    expect(asked(servers[0]).length).toBeLessThanOrEqual(1);
  });

  it('of a request takes the other one with it, and then the request is sent no more', async () => {
    const deadly = { diesAt: ({ messages }: Body) => JSON.stringify(messages)?.includes('deadly') ?? false };
    const { servers, endpoint } = await two(deadly, deadly);
    await endpoint.check(signal);
    const request = { ...sampling, messages: [{ role: 'user', content: 'A deadly one' }] as const };
    await expect(endpoint.chat(base, request, signal)).rejects.toMatchObject({ name: 'RequestEndsServer' });
    expect(servers.map((server) => server.isDown())).toEqual([true, true]);
  });

  it('before the experiment begins is named, and the other one answers', async () => {
    const { servers, endpoint } = await two();
    await servers[1].kill();
    await endpoint.check(signal);
    const found = await endpoint.examine(needs, signal);
    expect(found.map(({ says }) => says).filter((says) => says.includes(servers[1].url))).toEqual([
      expect.stringMatching(/No answer .*The other servers of the endpoint get its requests/),
    ]);
    await servers[0].kill();
    await expect(endpoint.check(signal)).rejects.toMatchObject({ name: 'EngineUnreachable' });
  });

  it('leaves its requests to the other one also where nobody waits', async () => {
    const { servers } = await two();
    const endpoint = endpointOf(servers, { kind: 'openai' }, { patient: false });
    await servers[0].kill();
    await Promise.all(questions.map((each) => endpoint.chat(base, each, signal)));
    await servers[1].kill();
    await expect(endpoint.chat(base, question(1), signal)).rejects.toMatchObject({
      name: 'EngineUnreachable',
    });
  });
});

describe('a server with another model', () => {
  it.each<[string, VllmSettings, VllmSettings, RegExp]>([
    ['of another name', {}, { lists: 'another' }, /does not serve base. It serves: another/],
    ['of the same name', {}, { weights: other }, /does not have the same model as .* nats/],
  ])('%s is named before the experiment begins', async (_, first, second, message) => {
    const { servers, endpoint } = await two(first, second);
    const error = await errorOf(endpoint.check(signal));
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(error).toMatchObject({ message: expect.stringContaining(servers[1].url) });
  });

  it('that is nearly the same may be the same model on another card, so it is a warning', async () => {
    const { servers, endpoint } = await two({}, { weights: 'others' });
    await endpoint.check(signal);
    expect((await endpoint.examine(needs, signal)).map(({ says }) => says)).toContainEqual(
      expect.stringMatching(`${servers[1].url} and ${servers[0].url} give the tokens .* 0.45 nats apart`),
    );
  });

  it('after it was started again gets no requests, is named, and gets them when it has the right one', async () => {
    const { servers, endpoint } = await two();
    await endpoint.check(signal);
    const answers = () => Promise.all(questions.map((each) => endpoint.chat(base, each, signal)));
    const before = await answers();
    await servers[0].kill();
    await answers();
    await servers[0].start({ weights: other });
    await until('the server is looked at', async () => {
      await endpoint.chat(base, question(1), signal);
      return leftOut.some(
        ({ url, reason }) => url === servers[0].url && /not have the same model/.test(reason),
      );
    });
    const got = asked(servers[0]).length;
    expect(await answers()).toEqual(before);
    expect(asked(servers[0])).toHaveLength(got);
    await servers[0].kill();
    await servers[0].start({ weights: baseName });
    await untilBack(endpoint, servers[0].url);
    expect(await answers()).toEqual(before);
  });

  it('is noticed also when it was started again between two requests', async () => {
    const { servers, endpoint } = await two();
    await endpoint.check(signal);
    const answers = () => Promise.all(questions.map((each) => endpoint.chat(base, each, signal)));
    const before = await answers();
    const got = asked(servers[0]).length;
    await servers[0].kill();
    await servers[0].start({ weights: other });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_000 });
    try {
      expect(await answers()).toEqual(before);
      expect(asked(servers[0])).toHaveLength(got);
      expect(leftOut).toContainEqual({
        url: servers[0].url,
        reason: expect.stringMatching(/does not have the same model as before/),
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it('is noticed also when it breaks a connection and is there again at once', async () => {
    const { servers, endpoint } = await two();
    await endpoint.check(signal);
    const answers = () => Promise.all(questions.map((each) => endpoint.chat(base, each, signal)));
    const before = await answers();
    const got = asked(servers[0]).length;
    const asking = answers();
    await servers[0].kill();
    await servers[0].start({ weights: other });
    expect(await asking).toEqual(before);
    expect(await answers()).toEqual(before);
    expect(asked(servers[0]).length).toBeLessThan(2 * got + 1);
  });

  it('is not noticed by servers that give no log-probabilities, whose words alone prove nothing', async () => {
    const { endpoint } = await two({ logprobs: false, weights: other }, {}, 'openai');
    await endpoint.check(signal);
  });
});

describe('a server that cannot do its part', () => {
  it.each<[string, VllmSettings]>([
    ['does not load adapters', { updating: false }],
    ['ignores adapters', { ignoresAdapters: /./ }],
    ['has too small a rank', { greatestRank: 4 }],
    ['wants another key', { key: 'sesame' }],
    ['fails', { refusesChats: 500 }],
  ])('as it %s leaves its requests to the other one, and is named', async (_, settings) => {
    const { servers, endpoint } = await two(settings);
    await endpoint.serve(adapters, signal);
    await Promise.all(questions.map((each) => endpoint.chat(adapters[0]!, each, signal)));
    expect(new Set(asked(servers[1])).size).toBe(questions.length);
    expect(leftOut.map(({ url }) => url)).toContain(servers[0].url);
  });

  it('is an error while the experiment is prepared: a made-up adapter shows it', async () => {
    const { servers, endpoint } = await two({}, { greatestRank: 4 });
    await expect(endpoint.tryAdapter('/store/models/trial-1', 2, signal)).rejects.toMatchObject({
      name: 'AdapterNotLoaded',
      message: expect.stringContaining(servers[1].url),
    });
  });

  it('is no error of the request: what every server refuses is refused', async () => {
    const { endpoint } = await two({ refusesChats: 422 }, { refusesChats: 422 }, 'openai');
    await expect(endpoint.chat(base, question(1), signal)).rejects.toMatchObject({ status: 422 });
    expect(leftOut).toEqual([]);
  });

  it('is left out only if the other one does not fail in the same way', async () => {
    const { endpoint } = await two();
    await endpoint.check(signal);
    const { servers, endpoint: failing } = await two();
    await failing.check(signal);
    for (const server of servers) {
      await server.kill();
      await server.start({ refusesChats: 500 });
    }
    await expect(failing.chat(base, question(1), signal)).rejects.toMatchObject({ name: 'EngineFailed' });
    expect(leftOut).toEqual([]);
  });
});

describe('servers of unequal contexts', () => {
  it('are named, and the shortest context counts for all of them', async () => {
    const { servers, endpoint } = await two({ context: 60 }, { context: 4_096 });
    await endpoint.check(signal);
    const found = await endpoint.examine(needs, signal);
    expect(found.map(({ says }) => says)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(`${servers[0].url}: The context of the model has 60 tokens`),
        expect.stringContaining(`60 tokens at ${servers[0].url} and 4,096 tokens at ${servers[1].url}`),
      ]),
    );
    await expect(endpoint.examine({ ...needs, maxTokens: 60 }, signal)).rejects.toMatchObject({
      name: 'MaxTokensTooLarge',
    });
    const long = (number: number): Request => ({
      ...sampling,
      messages: [{ role: 'user', content: `Question ${number}${'?'.repeat(40)}` }],
    });
    const ends = await Promise.all(
      questions.map((_, number) =>
        endpoint.chat(base, long(number), signal).then(
          () => 'answered',
          (error: unknown) => isTooLong(error),
        ),
      ),
    );
    expect(new Set(ends)).toEqual(new Set([true]));
    expect(asked(servers[1]).some((content) => content.includes('????'))).toBe(true);
  });
});

describe('adapters that are not needed any more', () => {
  it('are unloaded at each server', async () => {
    const { servers, endpoint } = await two();
    await endpoint.serve(adapters, signal);
    await endpoint.unload(async (digits) => digits.startsWith('a'), signal);
    for (const server of servers) expect([...server.adapters.keys()]).toEqual(['colloquy-bbbbbbbbbbbbbbbb']);
  });

  it('are loaded by the one server of two that does not find them by their names', async () => {
    const { servers, endpoint } = await two({ resolves: (name) => name.startsWith('colloquy-') });
    await endpoint.serve(adapters, signal);
    expect(servers.map((server) => server.count('load_lora_adapter'))).toEqual([0, 2]);
  });
});
