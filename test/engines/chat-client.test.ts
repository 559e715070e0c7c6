import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { ApiKeyMissing } from '../../src/engines/endpoint/http.ts';
import {
  EngineAnswerInvalid,
  EngineBusy,
  EngineClosed,
  EngineFailed,
  EngineRefused,
  EngineUnreachable,
} from '../../src/engines/errors.ts';
import { chatClients } from './fixtures/chat-clients.ts';
import { completion, json, oneRequest, serve } from './fixtures/http-server.ts';
import { errorOf } from '../support/error-of.ts';

const { signal } = new AbortController();
const key = 'sk-very-secret-0123456789';
const client = chatClients();

const usage = (tokens: number): string =>
  JSON.stringify({ ...completion('1'), usage: { prompt_tokens: tokens, completion_tokens: 1 } });

describe('an answer', () => {
  it('is the text of the first choice, why it ended, and the tokens it took', async () => {
    await using server = await serve((response) => json(response, completion('\\boxed{31}', 'length')));
    const request = { ...oneRequest, max_tokens: 28 };
    expect(await client(server.url).complete(request, signal)).toEqual({
      text: '\\boxed{31}',
      finishReason: 'length',
      promptTokens: 12,
      completionTokens: 28,
    });
    expect(server.asked[0]).toMatchObject({ method: 'POST', path: '/v1/chat/completions', body: request });
  });

  it('of a megabyte, with every kind of letter, arrives whole', async () => {
    const text = 'Größe 数 🜚 '.repeat(60_000);
    await using server = await serve((response) => json(response, completion(text)));
    expect((await client(server.url).complete(oneRequest, signal)).text).toBe(text);
  });

  it('may be empty, and may lack a count of its tokens', async () => {
    await using server = await serve((response) =>
      json(response, { choices: [{ message: { content: null }, finish_reason: null }] }),
    );
    expect(await client(server.url).complete(oneRequest, signal)).toEqual({
      text: '',
      finishReason: 'unknown',
      promptTokens: 0,
      completionTokens: 0,
    });
  });

  it('keeps nothing that could not be written as UTF-8 again', async () => {
    await using server = await serve((response) => json(response, completion('a\ud800b🜚')));
    expect((await client(server.url).complete(oneRequest, signal)).text).toBe('a\ufffdb🜚');
  });

  it.each(['base', 'base-2026-01-31', 'base@main', null])(
    'may come from the model %j when base was asked',
    async (model) => {
      await using server = await serve((response) => json(response, { ...completion('1'), model }));
      expect((await client(server.url).complete(oneRequest, signal)).text).toBe('1');
    },
  );

  it('of another model than the one that was asked is invalid, and says which', async () => {
    await using server = await serve((response) => json(response, { ...completion('1'), model: 'basement' }));
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineAnswerInvalid);
    expect(error.message).toContain('the model basement answered, and base was asked');
  });

  it('of a hosted alias may name another model, and then always the same one', async () => {
    const names = ['large-2411', 'large-2411', null, 'large', 'large-2502'];
    await using server = await serve((response, _, count) =>
      json(response, { ...completion('1'), model: names[count - 1] }),
    );
    const hosted = createChatClient({ url: server.url, aliases: true });
    const ask = () => hosted.complete({ ...oneRequest, model: 'large-latest' }, signal);
    expect((await ask()).answeredAs).toBe('large-2411');
    await ask();
    await ask();
    expect((await errorOf(ask())).message).toContain('the model large answered');
    expect((await errorOf(ask())).message).toContain('the model large-2502 answered');
  });

  it('of more than 8 MiB is cut off while it is read, and says so', async () => {
    let sent = 0;
    await using server = await serve((response) => {
      const more = (): void => {
        while (sent < 2 ** 28 && response.write('x'.repeat(2 ** 20))) sent += 2 ** 20;
      };
      response.writeHead(200).on('drain', more);
      more();
    });
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineAnswerInvalid);
    expect(error.message).toContain('larger than 8388608 bytes');
    expect(sent).toBeLessThan(2 ** 27);
  });

  it('takes one of a few connections, which stay open', async () => {
    const ports = new Set<number>();
    await using server = await serve((response) => {
      ports.add(response.socket!.remotePort!);
      json(response, completion('1'));
    });
    const one = client(server.url);
    for (let index = 0; index < 20; index += 1) await one.complete(oneRequest, signal);
    expect(ports.size).toBe(1);
  });

  it('comes although the server closed the kept connection a moment before', async () => {
    await using server = await serve((response, _, count) => {
      if (count === 2) response.socket!.resetAndDestroy();
      else json(response, completion('1'));
    });
    const one = client(server.url);
    await one.complete(oneRequest, signal);
    expect((await one.complete(oneRequest, signal)).text).toBe('1');
  });

  it('is asked for by hundreds at once under one signal without a warning', async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning.message);
    process.on('warning', onWarning);
    await using server = await serve((response) => json(response, completion('1')));
    const one = client(server.url);
    await Promise.all(Array.from({ length: 200 }, () => one.complete(oneRequest, signal)));
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('a busy server', () => {
  it.each([429, 503])('that answers %i is asked again after the time it names', async (status) => {
    await using server = await serve((response, _, count) => {
      if (count < 3) json(response, { error: { message: 'busy' } }, status, { 'retry-after': '0.01' });
      else json(response, completion('1'));
    });
    expect((await client(server.url).complete(oneRequest, signal)).text).toBe('1');
    expect(server.asked).toHaveLength(3);
  });

  it('is given up, as busy, when it wants more patience than there is', async () => {
    await using server = await serve((response) =>
      json(response, { error: { message: 'come back tomorrow' } }, 429, { 'retry-after': '3600' }),
    );
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineBusy);
    expect((error as EngineBusy).retryAfterMs).toBeGreaterThanOrEqual(3_600_000);
    expect(error.message).toContain('come back tomorrow');
  });

  it('is not waited for here when it asks for more than a minute: Temporal waits, where it is seen', async () => {
    await using server = await serve((response) => json(response, {}, 503, { 'retry-after': '67' }));
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineBusy);
    expect((error as EngineBusy).retryAfterMs).toBeGreaterThanOrEqual(67_000);
    expect(server.asked).toHaveLength(1);
  });

  it('reports until when it sends the server no requests', async () => {
    const told: Date[] = [];
    await using server = await serve((response, _, count) => {
      if (count === 1) json(response, {}, 429, { 'retry-after': '0.02' });
      else json(response, completion('1'));
    });
    const before = Date.now();
    await client(server.url).complete(oneRequest, signal, (until) => told.push(until));
    expect(told).toHaveLength(1);
    expect(told[0]!.getTime()).toBeGreaterThanOrEqual(before + 20);
  });

  it('is no longer waited for once the signal is aborted, whose reason is thrown', async () => {
    const abort = new AbortController();
    await using server = await serve((response) => {
      json(response, {}, 503, { 'retry-after': '60' });
      setImmediate(() => abort.abort(new Error('the worker stops')));
    });
    const error = await errorOf(client(server.url).complete(oneRequest, abort.signal));
    expect(error.message).toBe('the worker stops');
  });

  it('that has run out of quota is not waited for', async () => {
    await using server = await serve((response) =>
      json(response, { error: { message: 'No money left', code: 'insufficient_quota' } }, 429),
    );
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineRefused);
    expect(server.asked).toHaveLength(1);
  });
});

describe('trouble', () => {
  it.each([400, 401, 403, 404, 422])(
    'of status %i is a refusal in the words of the server',
    async (status) => {
      await using server = await serve((response) =>
        json(response, { error: { message: 'The model `x` does not exist.', param: 'model' } }, status),
      );
      const error = await errorOf(client(server.url).complete(oneRequest, signal));
      expect(error).toBeInstanceOf(EngineRefused);
      expect(error).toMatchObject({ status, words: 'The model `x` does not exist.' });
      expect(server.asked).toHaveLength(1);
    },
  );

  it.each([500, 502, 504])(
    'of status %i is a failure of the server, not asked again here',
    async (status) => {
      await using server = await serve((response) => response.writeHead(status).end('boom'));
      const error = await errorOf(client(server.url).complete(oneRequest, signal));
      expect(error).toBeInstanceOf(EngineFailed);
      expect(error).toMatchObject({ status, words: 'boom' });
      expect(server.asked).toHaveLength(1);
    },
  );

  it('of a server that has moved names where to', async () => {
    await using server = await serve((response) =>
      response.writeHead(308, { location: 'https://b/v1' }).end(),
    );
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineRefused);
    expect(error.message).toContain('moved to https://b/v1');
  });

  it('of a server that never answers ends in time', async () => {
    await using server = await serve(() => undefined);
    const error = await errorOf(client(server.url, { timeoutMs: 50 }).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineUnreachable);
    expect(error).toMatchObject({ reason: 'timeout' });
  });

  it('of a server that never answers ends in time for each request, whenever it was sent', async () => {
    await using server = await serve((response, _, count) => {
      if (count === 2) json(response, completion('1'));
    });
    const one = client(server.url, { timeoutMs: 200 });
    const early = errorOf(one.complete(oneRequest, signal));
    await one.complete(oneRequest, signal);
    const late = errorOf(one.complete(oneRequest, signal));
    expect(await early).toMatchObject({ reason: 'timeout' });
    expect(await late).toMatchObject({ reason: 'timeout' });
    expect(await errorOf(one.complete(oneRequest, signal))).toMatchObject({ reason: 'timeout' });
  });

  it('of a server that answers a drop at a time ends in time', async () => {
    await using server = await serve((response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(' '), 5);
      response.on('close', () => clearInterval(drip));
    });
    const error = await errorOf(client(server.url, { timeoutMs: 100 }).complete(oneRequest, signal));
    expect(error).toMatchObject({ name: 'EngineUnreachable', reason: 'timeout' });
  });

  it('of a connection that breaks in the middle of the answer is reported as such', async () => {
    await using server = await serve((response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"choices":');
      setImmediate(() => response.socket!.destroy());
    });
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineUnreachable);
    expect(error.message).toContain('broke');
  });

  it('of a port on which no server listens names the URL', async () => {
    const server = await serve(() => undefined);
    await server[Symbol.asyncDispose]();
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toMatchObject({ name: 'EngineUnreachable', reason: 'ECONNREFUSED' });
    expect(error.message).toContain(server.url);
  });

  it('of a server without TLS to a request with TLS says so', async () => {
    await using server = await serve((response) => response.end('plain'));
    const error = await errorOf(client(server.url.replace('http:', 'https:')).complete(oneRequest, signal));
    expect(error).toMatchObject({ name: 'EngineUnreachable' });
    expect(error.message).toContain('The server does not speak TLS there');
  });

  it.each([
    ['HTML', '<html><body>Welcome to nginx', 'not JSON'],
    ['nothing', '', 'not JSON'],
    ['another shape', '{"answer":"1"}', 'choices'],
    ['no choices', '{"choices":[]}', 'choices'],
    ['a choice without a message', '{"choices":[{"text":"1"}]}', 'choices.0.message'],
    ['a number', '42', 'expected object'],
    ['a count of tokens below zero', usage(-3), 'usage.prompt_tokens'],
    ['a count of tokens beyond all numbers', usage(1e300), 'usage.prompt_tokens'],
    ['a quarter of a token', usage(0.25), 'usage.prompt_tokens'],
    ['bytes that it has packed unasked', gzipSync('x'.repeat(1_000_000)), 'not UTF-8'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'not UTF-8'],
  ])('of a server that answers %s is told with how the answer begins', async (_, body, fault) => {
    await using server = await serve((response) => response.writeHead(200).end(body));
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toBeInstanceOf(EngineAnswerInvalid);
    expect(error.message).toContain(fault);
  });

  it('of an abort is the reason that the signal gives, and closes the connection', async () => {
    const abort = new AbortController();
    const reason = new Error('cancelled');
    let closed: Promise<unknown> = Promise.resolve();
    await using server = await serve((response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
      abort.abort(reason);
    });
    expect(await errorOf(client(server.url).complete(oneRequest, abort.signal))).toBe(reason);
    await closed;
  });

  it('of a client that is closed ends what is under way and what comes later', async () => {
    const one = createChatClient({ url: 'http://127.0.0.1:1/v1' });
    await using server = await serve(() => two.close());
    const two = createChatClient({ url: server.url });
    expect(await errorOf(two.complete(oneRequest, signal))).toBeInstanceOf(EngineClosed);
    one.close();
    expect(await errorOf(one.complete(oneRequest, signal))).toBeInstanceOf(EngineClosed);
  });
});

describe('the key', () => {
  it('is read from the named variable for each request', async () => {
    await using server = await serve((response) => json(response, completion('1')));
    const one = client(server.url, { apiKeyEnv: 'COLLOQUY_TEST_KEY' });
    vi.stubEnv('COLLOQUY_TEST_KEY', `${key}\n`);
    await one.complete(oneRequest, signal);
    vi.stubEnv('COLLOQUY_TEST_KEY', 'another');
    await one.complete(oneRequest, signal);
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${key}`,
      'Bearer another',
    ]);
  });

  it.each([undefined, '', 'two\nlines'])('%j is refused before anything is sent', async (value) => {
    vi.stubEnv('COLLOQUY_TEST_KEY', value);
    const one = client('http://127.0.0.1:1/v1', { apiKeyEnv: 'COLLOQUY_TEST_KEY' });
    const error = await errorOf(one.complete(oneRequest, signal));
    expect(error).toBeInstanceOf(ApiKeyMissing);
    expect(error.message).toContain('COLLOQUY_TEST_KEY');
    expect(error.message).not.toContain('lines');
  });

  it.each<[string, Parameters<typeof serve>[0]]>([
    [
      'refuses and repeats it',
      (response) => json(response, { error: { message: `Wrong key: ${key}` } }, 401),
    ],
    ['fails and repeats it', (response) => response.writeHead(500).end(`key ${key}`)],
    ['answers with it', (response) => response.end(`<html>${key}`)],
    [
      'answers in bytes with it',
      (response) => response.end(Buffer.concat([Buffer.from(key), Buffer.from([255])])),
    ],
    ['sends elsewhere with it', (response) => response.writeHead(302, { location: `/?k=${key}` }).end()],
    ['is busy and repeats it', (response) => json(response, { error: key }, 503, { 'retry-after': '9999' })],
    ['answers as a model of that name', (response) => json(response, { ...completion('1'), model: key })],
    ['breaks off', (response) => response.socket!.destroy()],
    ['never answers', () => undefined],
  ])('is in no error of a server that %s', async (_, answer) => {
    vi.stubEnv('COLLOQUY_TEST_KEY', key);
    await using server = await serve(answer);
    const one = client(server.url, { apiKeyEnv: 'COLLOQUY_TEST_KEY', timeoutMs: 100 });
    const error = await errorOf(one.complete(oneRequest, signal));
    expect(inspect(error, { depth: Infinity, showHidden: true, getters: true })).not.toContain(key);
    expect(JSON.stringify(error)).not.toContain(key);
    expect(error.cause).toBeUndefined();
  });
});

it('a key with which a server answers is not in the answer', async () => {
  vi.stubEnv('COLLOQUY_TEST_KEY', 'sk-"odd"/key');
  await using server = await serve((response, { headers }) =>
    json(response, completion(`you sent ${headers.authorization}`)),
  );
  const one = client(server.url, { apiKeyEnv: 'COLLOQUY_TEST_KEY' });
  expect((await one.complete(oneRequest, signal)).text).toBe('you sent Bearer [key]');
});

describe('adapters', () => {
  it('are loaded and unloaded as vLLM has it', async () => {
    await using server = await serve((response) => response.end('Success'));
    const one = client(server.url);
    await one.loadAdapter('colloquy-1', '/models/1', signal);
    await one.unloadAdapter('colloquy-1', signal);
    expect(server.asked.map(({ path, body }) => [path, body])).toEqual([
      ['/v1/load_lora_adapter', { lora_name: 'colloquy-1', lora_path: '/models/1' }],
      ['/v1/unload_lora_adapter', { lora_name: 'colloquy-1' }],
    ]);
  });

  it('prompt log-probabilities are those of the prompt itself, not of likelier tokens', async () => {
    const tokens = [null, { 5: { logprob: -0.5 } }, { 7: { logprob: -0.1 }, 3: { logprob: -2 } }];
    await using server = await serve((response) =>
      json(response, { ...completion('1'), prompt_logprobs: tokens }),
    );
    const prompt = { model: 'base', messages: oneRequest.messages };
    expect(await client(server.url).promptTokens(prompt, signal)).toEqual([
      { id: null, logprob: 0 },
      { id: '5', logprob: -0.5 },
      { id: '3', logprob: -2 },
    ]);
  });

  it('the models of a server are listed with where they come from and how long their context is', async () => {
    await using server = await serve((response) =>
      json(response, {
        object: 'list',
        data: [
          { id: 'base', root: '/m', max_model_len: 512 },
          // As llama.cpp says it.
          { id: 'gguf', meta: { n_ctx: 256, n_ctx_train: 2048 } },
          { id: 'other', meta: 'none' },
        ],
      }),
    );
    expect(await client(server.url).listModels(signal)).toEqual([
      { id: 'base', root: '/m', context: 512 },
      { id: 'gguf', root: null, context: 256 },
      { id: 'other', root: null, context: null },
    ]);
  });
});
