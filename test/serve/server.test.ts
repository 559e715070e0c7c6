import type { AddressInfo } from 'node:net';
import { request, type ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEndpoints } from '../../src/engines/endpoint/open.ts';
import { EngineBusy } from '../../src/engines/errors.ts';
import { PromptTooLong } from '../../src/engines/endpoint/refusals.ts';
import {
  type AnsweredDebate,
  type AskOptions,
  type Debaters,
  openDebaters,
} from '../../src/serve/debaters.ts';
import { answerOf } from '../../src/serve/chat.ts';
import { createFront } from '../../src/serve/server.ts';
import { openStore } from '../../src/store/store.ts';
import { completion, json, serve, type TestServer } from '../engines/fixtures/http-server.ts';
import { writeExportableExperiment } from '../export/exportable-experiment.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

const debateOf = (question: string): AnsweredDebate => ({
  question: { id: 'asked', text: question },
  dialogues: ['16', '17', '17'].map((answer) => [
    { role: 'user', content: question },
    { role: 'assistant', content: `It is \\boxed{${answer}}` },
  ]),
  answers: [['16'], ['17'], ['17']],
  majority: { answer: '17', votes: 2, tied: 1 },
  consensus: { answer: '17', votes: 2, tied: 1 },
  agrees: [[false], [true], [true]],
  finishReasons: { responses: [['stop'], ['stop'], ['stop']], summaries: [] },
  tokens: { prompt: 120, completion: 30 },
});

/** The base model of the experiment that `writeExportableExperiment` writes. */
const model = 'engine/models/tiny-arithmetic';

type Chunk = {
  readonly id: string;
  readonly object: string;
  readonly choices: readonly {
    readonly delta: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
};

/** What the debaters were asked, and what they throw instead of answering. */
const asked: { question: string; options: AskOptions }[] = [];
let failure: Error | undefined;
const debaters = {
  experiment: 'quickstart',
  debate: async (question: string, options: AskOptions) => {
    asked.push({ question, options });
    if (question === 'wait') {
      await new Promise((_, reject) => {
        options.signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    }
    if (failure !== undefined) throw failure;
    return debateOf(question);
  },
};
const front = createFront({ debaters, loopback: true });
const guarded = createFront({ debaters, loopback: false, apiKey: 'secret' });
let url = '';
let guardedUrl = '';
beforeAll(async () => {
  for (const each of [front, guarded]) await new Promise<void>((done) => each.listen(0, '127.0.0.1', done));
  [url = '', guardedUrl = ''] = [front, guarded].map(
    (each) => `http://127.0.0.1:${(each.address() as AddressInfo).port}`,
  );
});
afterAll(() => {
  for (const each of [front, guarded]) {
    each.closeAllConnections();
    each.close();
  }
});

const body = (more: object = {}) => ({
  model: 'quickstart',
  messages: [{ role: 'user', content: '3+4*5-6' }],
  ...more,
});
const post = (content: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof content === 'string' ? content : JSON.stringify(content),
  });

describe('a request of a chat completion', () => {
  it('is a debate, whose reply is a response that won the vote', async () => {
    const reply = await post(body({ temperature: 0.2, max_completion_tokens: 50, seed: 7, user: 'ada' }));
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'quickstart',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'It is \\boxed{17}', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: { prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 },
      colloquy: { answer: '17', votes: 2, agents: 3, tied: 1 },
    });
    expect(asked.at(-1)).toMatchObject({
      question: '3+4*5-6',
      options: { seed: 7, sampling: { temperature: 0.2, max_tokens: 50 } },
    });
  });

  it('takes text parts, earlier turns and instructions as one question', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: '1+1' },
      { role: 'assistant', content: '2' },
      { role: 'user', content: [{ type: 'text', text: '3+4' }] },
    ];
    expect((await post(body({ messages }))).status).toBe(200);
    expect(asked.at(-1)?.question).toBe('Be brief.\n\nuser: 1+1\n\nassistant: 2\n\n3+4');
  });

  it('is answered in parts when it asks for a stream, with the usage where it wants that', async () => {
    const reply = await post(body({ stream: true, stream_options: { include_usage: true } }));
    expect(reply.headers.get('content-type')).toContain('text/event-stream');
    const events = (await reply.text()).split('\n\n').filter((each) => each.startsWith('data: '));
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((each) => JSON.parse(each.slice('data: '.length)) as Chunk);
    expect(chunks.map(({ object }) => object)).toEqual(Array(4).fill('chat.completion.chunk'));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('It is \\boxed{17}');
    expect(chunks[2]?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks[3]).toMatchObject({ choices: [], usage: { total_tokens: 150 } });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  it('ends its debate when the client goes away', async () => {
    const leaving = new AbortController();
    const pending = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body({ messages: [{ role: 'user', content: 'wait' }] })),
      signal: leaving.signal,
    });
    await expect.poll(() => asked.at(-1)?.question).toBe('wait');
    leaving.abort();
    await expect(pending).rejects.toThrow('aborted');
    await expect.poll(() => asked.at(-1)?.options.signal.aborted).toBe(true);
  });

  it.each([
    ['no JSON', '{', 400, { message: expect.stringContaining('could not parse the JSON body') }],
    ['a list', [], 400, { param: null }],
    ['no messages', { model: 'quickstart' }, 400, { param: 'messages' }],
    ['an empty list of messages', body({ messages: [] }), 400, { param: 'messages' }],
    [
      'a last message of the assistant',
      body({ messages: [{ role: 'assistant', content: '2' }] }),
      400,
      { param: 'messages' },
    ],
    [
      'a role that is none',
      body({ messages: [{ role: 'me', content: '2' }] }),
      400,
      { param: 'messages[0].role' },
    ],
    [
      'a picture',
      body({ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }),
      400,
      { param: 'messages[0].content' },
    ],
    ['two answers', body({ n: 2 }), 400, { param: 'n', message: expect.stringContaining('n must be 1') }],
    ['tools', body({ tools: [{}] }), 400, { param: 'tools' }],
    ['a temperature out of range', body({ temperature: 3 }), 400, { param: 'temperature' }],
    ['another model', body({ model: 'gpt-5' }), 404, { code: 'model_not_found', param: 'model' }],
  ])('with %s is refused as OpenAI does', async (_, content, status, error) => {
    const reply = await post(content);
    expect(reply.status).toBe(status);
    expect(await reply.json()).toEqual({
      error: {
        message: expect.any(String),
        type: 'invalid_request_error',
        param: null,
        code: null,
        ...error,
      },
    });
  });

  it.each([
    [new EngineBusy('http://engine', 429, 1000, 60_000, 'slow down'), 429, 'rate_limit_error', null],
    [
      new PromptTooLong({ questionId: 'asked', agent: 1, round: 2 } as never, [], 'context of 4096'),
      400,
      'invalid_request_error',
      'context_length_exceeded',
    ],
    [new Error('the engine died'), 503, 'server_error', null],
  ])('that the engine cannot answer says so: %s', async (thrown, status, type, code) => {
    failure = thrown;
    try {
      const reply = await post(body());
      expect(reply.status).toBe(status);
      expect(await reply.json()).toMatchObject({ error: { type, code } });
      const stream = await (await post(body({ stream: true }))).text();
      expect(stream).toContain(`"type":"${type}"`);
      expect(stream).not.toContain('[DONE]');
    } finally {
      failure = undefined;
    }
  });
});

describe('the finish reason of a reply', () => {
  it.each([
    ['stop', 'stop'],
    ['unknown', 'stop'],
    ['tool_calls', 'stop'],
    ['length', 'length'],
    ['max_tokens', 'length'],
    ['model_length', 'length'],
    ['insufficient_system_resource', 'length'],
    ['abort', 'length'],
    ['error', 'length'],
    ['content_filter', 'content_filter'],
  ])('is the one of the given response: %s is %s in the words of OpenAI', (word, finishReason) => {
    // Agent 2 is the first with the answer that won.
    const finishReasons = { responses: [['length'], [word], ['length']], summaries: [] };
    expect(answerOf({ ...debateOf('3+4*5-6'), finishReasons })).toMatchObject({ finishReason });
  });
});

describe('the front', () => {
  it('lists its one model, and refuses other addresses and methods', async () => {
    expect(await (await fetch(`${url}/v1/models`)).json()).toMatchObject({
      object: 'list',
      data: [{ id: 'quickstart', object: 'model' }],
    });
    expect((await fetch(`${url}/v1/models/quickstart`)).status).toBe(200);
    expect((await fetch(`${url}/v1/models/other`)).status).toBe(404);
    expect((await fetch(`${url}/v1/completions`)).status).toBe(404);
    expect((await fetch(`${url}/v1/chat/completions`)).status).toBe(405);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it('refuses what a web page could send: other hosts, other origins, other types', async () => {
    expect((await post(body(), { origin: 'https://evil.example' })).status).toBe(403);
    expect((await post(body(), { 'content-type': 'text/plain' })).status).toBe(415);
    const status = await new Promise((resolve) => {
      request(`${url}/v1/models`, { headers: { host: 'evil.example' } }, (reply) =>
        resolve(reply.statusCode),
      ).end();
    });
    expect(status).toBe(403);
  });

  it('refuses a body that is too long', async () => {
    expect((await post(JSON.stringify(body({ user: 'x'.repeat(11 * 1024 * 1024) })))).status).toBe(413);
  });

  it('wants its key where it has one', async () => {
    const models = (headers: Record<string, string>) => fetch(`${guardedUrl}/v1/models`, { headers });
    expect((await models({})).status).toBe(401);
    expect((await models({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await models({ authorization: 'Bearer secret' })).status).toBe(200);
  });
});

describe.each(['openai', 'vllm'] as const)('the front before a real server of kind %s', (kind) => {
  const store = openStore(temporaryFolder());
  /** What the server answers to a chat request. */
  let answer: (response: ServerResponse) => void;
  let server: TestServer;
  let real: Debaters;
  let realFront: ReturnType<typeof createFront>;
  const reported: unknown[] = [];
  beforeAll(async () => {
    server = await serve((response, { path }) => {
      if (path === '/v1/models') json(response, { data: [{ id: model }] });
      else answer(response);
    });
    await writeExportableExperiment(store, 'done');
    const endpoints = createEndpoints(
      { local: { kind, url: server.url, max_concurrency: 4 } },
      // As `configuredEndpoints` opens them for ask and serve: a client does not wait by the hour.
      { patient: false, logFolder: store.logs, modelFolder: async () => store.local },
    );
    real = await openDebaters(store, { experiment: 'done', iteration: undefined }, endpoints);
    realFront = createFront({
      debaters: real,
      loopback: true,
      onError: (error) => reported.push(error),
    });
    await new Promise<void>((done) => realFront.listen(0, '127.0.0.1', done));
  });
  afterAll(async () => {
    realFront.closeAllConnections();
    realFront.close();
    await real.close();
    await server[Symbol.asyncDispose]();
  });
  const ask = (more: object = {}) =>
    fetch(`http://127.0.0.1:${(realFront.address() as AddressInfo).port}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body({ model: 'done', ...more })),
    });

  it('answers with a debate of nine requests, and with the reason why the given response ended', async () => {
    answer = (response) => json(response, completion(String.raw`It is \boxed{17}`, 'model_length'));
    const before = server.asked.length;
    const reply = (await (await ask({ max_tokens: 9 })).json()) as object;
    expect(reply).toMatchObject({
      model: 'done',
      choices: [{ message: { content: String.raw`It is \boxed{17}` }, finish_reason: 'length' }],
      usage: { prompt_tokens: 9 * 12, completion_tokens: 9 * 28 },
      colloquy: { answer: '17', votes: 3 },
    });
    const asked = server.asked.slice(before).filter(({ path }) => path === '/v1/chat/completions');
    expect(asked.map(({ body: { model: name, max_tokens } }) => [name, max_tokens])).toEqual(
      Array.from({ length: 9 }, () => [model, 9]),
    );
  });

  it('keeps a streaming client waiting with comments, and sends it the whole answer', async () => {
    answer = (response) => json(response, completion(String.raw`\boxed{17}`));
    const reply = await ask({ stream: true });
    expect(reply.status).toBe(200);
    const text = await reply.text();
    expect(text.startsWith(': debating\n\n')).toBe(true);
    const events = text.split('\n\n').filter((each) => each.startsWith('data: {'));
    const parts = events.map((each) => JSON.parse(each.slice('data: '.length)) as Chunk);
    expect(parts.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(String.raw`\boxed{17}`);
    expect(parts.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('refuses a model that is not the experiment, without asking the server', async () => {
    const before = server.asked.length;
    const reply = await ask({ model });
    expect(reply.status).toBe(404);
    expect(await reply.json()).toMatchObject({ error: { code: 'model_not_found', param: 'model' } });
    expect(server.asked).toHaveLength(before);
  });

  it.each([
    ['does not know the model', 404, 'The model `m` does not exist.', 503, 'does not exist'],
    ['refuses a question that is too long', 400, "This model's maximum context length is 9.", 400, 'context'],
    ['has a fault', 500, 'out of memory', 503, 'out of memory'],
  ])('passes on that the server %s', async (_, status, message, expected, words) => {
    answer = (response) => json(response, { error: { message, code: status } }, status);
    const reply = await ask();
    expect(reply.status).toBe(expected);
    expect(await reply.json()).toMatchObject({ error: { message: expect.stringContaining(words) } });
    const stream = await (await ask({ stream: true })).text();
    expect(stream).toContain(words);
    expect(stream).not.toContain('[DONE]');
  });

  it('answers 503 while the server is down, and reports it', async () => {
    await server[Symbol.asyncDispose]();
    reported.length = 0;
    const reply = await ask();
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({
      error: { type: 'server_error', message: expect.stringContaining(`No answer from ${server.url}`) },
    });
    expect(reported).toMatchObject([{ name: 'EngineUnreachable', reason: 'ECONNREFUSED' }]);
  });
});
