import type { AddressInfo } from 'node:net';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineBusy } from '../../src/engines/errors.ts';
import { PromptTooLong } from '../../src/engines/too-long.ts';
import type { AnsweredDebate, AskOptions } from '../../src/serve/debaters.ts';
import { answerOf } from '../../src/serve/answer.ts';
import { createFront } from '../../src/serve/server.ts';

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
