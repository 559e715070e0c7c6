/** Servers that answer against the protocol: what they send is no answer, and nothing goes elsewhere. */
import { describe, expect, it, vi } from 'vitest';
import { EngineAnswerInvalid, EngineRefused } from '../../src/engines/errors.ts';
import { chatClients } from './fixtures/chat-clients.ts';
import { completion, json, oneRequest, serve } from './fixtures/http-server.ts';
import { errorOf } from '../support/error-of.ts';

const { signal } = new AbortController();
const key = 'sk-very-secret-0123456789';
const client = chatClients();

describe('trouble', () => {
  it.each<[string, Parameters<typeof serve>[0], string]>([
    [
      'promises fewer bytes than it sends',
      (response) => response.socket!.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{"choices":[]}'),
      'not HTTP',
    ],
    [
      'promises more bytes than it sends',
      (response) => response.socket!.end('HTTP/1.1 200 OK\r\ncontent-length: 300\r\n\r\n{"choices":[]}'),
      'broke',
    ],
    [
      'sends a megabyte of headers',
      (response) => response.socket!.end(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(200_000)}\r\n{}`),
      'not HTTP',
    ],
    ['does not speak HTTP', (response) => response.socket!.end('220 smtp ready\r\n'), 'not HTTP'],
  ])('of a server that %s is an error that says so', async (_, answer, words) => {
    await using server = await serve(answer);
    const error = await errorOf(client(server.url).complete(oneRequest, signal));
    expect(error).toMatchObject({ message: expect.stringContaining(words), retryable: true });
  });

  it('of a server that sends elsewhere stays there: no other host gets the request or the key', async () => {
    vi.stubEnv('COLLOQUY_TEST_KEY', key);
    await using other = await serve((response) => json(response, completion('1')));
    for (const status of [301, 302, 303, 307, 308]) {
      await using server = await serve((response) =>
        response.writeHead(status, { location: other.url }).end(),
      );
      const one = client(server.url, { apiKeyEnv: 'COLLOQUY_TEST_KEY' });
      expect(await errorOf(one.complete(oneRequest, signal))).toBeInstanceOf(EngineRefused);
    }
    expect(other.asked).toEqual([]);
  });
});

describe('an answer', () => {
  it.each([
    ['above zero', [{ 5: { logprob: 3 } }]],
    ['below all numbers', [{ 5: { logprob: -1e300 } }]],
    ['of no token', [null, {}]],
    ['that are none', [{ 5: { logprob: null } }]],
  ])('of prompt log-probabilities %s is none', async (_, tokens) => {
    await using server = await serve((response) =>
      json(response, { ...completion('1'), prompt_logprobs: tokens }),
    );
    const prompt = { model: 'base', messages: oneRequest.messages };
    const error = await errorOf(client(server.url).promptTokens(prompt, signal));
    expect(error).toBeInstanceOf(EngineAnswerInvalid);
    expect(error.message).toContain('prompt_logprobs');
  });

  it.each([
    [
      'of different lengths',
      [
        { index: 0, embedding: [1, 2] },
        { index: 1, embedding: [1] },
      ],
    ],
    [
      'of one text twice',
      [
        { index: 0, embedding: [1] },
        { index: 0, embedding: [1] },
      ],
    ],
    [
      'of a text that was not sent',
      [
        { index: 0, embedding: [1] },
        { index: 7, embedding: [1] },
      ],
    ],
  ])('of embeddings %s is none', async (_, data) => {
    await using server = await serve((response) => json(response, { data }));
    const error = await errorOf(client(server.url).embed('e', ['a', 'b'], signal));
    expect(error).toBeInstanceOf(EngineAnswerInvalid);
  });
});
