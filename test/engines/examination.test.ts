/** What a server lacks is found when an experiment is prepared: servers as they were seen to answer. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import type { Needs } from '../../src/engines/endpoint/examination.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { errorOf } from '../support/error-of.ts';
import { type Asked, json, serve } from './fixtures/http-server.ts';
import { baseName, startVllm } from './fixtures/vllm-server.ts';

const { signal } = new AbortController();
const opened: Endpoint[] = [];

function endpointAt(url: string, kind: 'vllm' | 'openai' = 'openai', model = baseName): Endpoint {
  const modelFolder = async (key: string) => `/store/models/${key}`;
  const endpoint = openEndpoint({ kind, url }, model, { logFolder: '/nowhere', modelFolder });
  opened.push(endpoint);
  return endpoint;
}

afterEach(async () => {
  for (const endpoint of opened.splice(0)) await endpoint.close();
});

const needs: Needs = {
  maxTokens: 64,
  longest: {
    messages: [
      { role: 'user', content: 'What is 12+3*8-5?' },
      { role: 'assistant', content: '\\boxed{31}' },
      { role: 'user', content: 'Others say \\boxed{30} and \\boxed{31}.' },
    ],
    answers: 3,
  },
  scores: false,
  template: {},
};

/** What is said of a server that answers like this. */
async function lacks(answer: (asked: Asked) => object, given: Needs = needs): Promise<string[]> {
  await using server = await serve((response, asked) => {
    if (asked.path === '/health') return json(response, {});
    if (asked.path === '/v1/models') return json(response, { data: [{ id: baseName }] });
    json(response, answer(asked));
  });
  return (await endpointAt(server.url).examine(given, signal)).map(({ says }) => says);
}

/** As a server should answer: a seed has its own answer, and all that is relied on is there. */
function wholeAnswer({ body }: Asked): Record<string, unknown> {
  return {
    model: baseName,
    choices: [{ message: { content: `seed ${String(body['seed'])}` }, finish_reason: 'length' }],
    usage: { prompt_tokens: 40, completion_tokens: 8, total_tokens: 48 },
  };
}

describe('a server that is examined', () => {
  it('and does all that is relied on lacks nothing', async () => {
    expect(await lacks(wholeAnswer)).toEqual([]);
  });

  it('is asked in the shape of a debate, for a few tokens', async () => {
    const asked: Asked[] = [];
    await lacks((each) => (asked.push(each), wholeAnswer(each)));
    expect(asked.map(({ body }) => body['max_tokens'])).toEqual([8, 8, 8, 8]);
    expect(asked[0]!.body['messages']).toEqual(needs.longest.messages);
  });

  it('and does not follow the seed is said to', async () => {
    let asked = 0;
    const says = await lacks((each) => ({
      ...wholeAnswer(each),
      choices: [{ message: { content: `answer ${(asked += 1)}` }, finish_reason: 'length' }],
    }));
    expect(says).toEqual([expect.stringContaining('does not follow the seed')]);
  });

  it('and mixes up the seeds of requests that come together is said to, though it follows each alone', async () => {
    let seed: unknown;
    await using server = await serve((response, asked) => {
      if (asked.path === '/v1/models') return json(response, { data: [{ id: baseName }] });
      // Like torch.manual_seed in a thread for each request.
      seed = asked.body['seed'];
      setTimeout(() => json(response, wholeAnswer({ ...asked, body: { seed } })), 50);
    });
    const [lack] = await endpointAt(server.url).examine(needs, signal);
    expect(lack?.says).toContain('not when several requests come at once');
  });

  const off = { chat_template_kwargs: { enable_thinking: false } };
  const thinks = (text: string, prompt: number) => (each: Asked) => ({
    ...wholeAnswer(each),
    choices: [{ message: { content: `${text}${String(each.body['seed'])}` }, finish_reason: 'length' }],
    usage: { prompt_tokens: prompt, completion_tokens: 8 },
  });

  it('is asked with the variables of the template, and once without their effect', async () => {
    const asked: unknown[] = [];
    const followed = (each: Asked) => {
      asked.push(each.body['chat_template_kwargs']);
      const { enable_thinking: on } = each.body['chat_template_kwargs'] as { enable_thinking: boolean };
      return thinks('', on ? 40 : 44)(each);
    };
    expect(await lacks(followed, { ...needs, template: off })).toEqual([]);
    expect(asked.filter((each) => JSON.stringify(each) === '{"enable_thinking":true}')).toHaveLength(1);
    expect(asked).toHaveLength(5);
  });

  it.each([
    [
      'and thinks although it should not',
      '<think>Well, ',
      'thinks although sampling.enable_thinking is false',
    ],
    ['and does not know the variable', 'seed ', 'enable_thinking: false has no effect'],
  ])('%s is said to', async (_, text, says) => {
    expect(await lacks(thinks(text, 40), { ...needs, template: off })).toEqual([
      expect.stringContaining(says),
    ]);
  });

  it('and always gives the same answer is said to', async () => {
    const says = await lacks((each) => ({
      ...wholeAnswer(each),
      choices: [{ message: { content: 'the same' }, finish_reason: 'length' }],
    }));
    expect(says).toEqual([expect.stringContaining('three seeds the same answer')]);
  });

  it('and gives neither the reason of an end nor a count of tokens is said to, with what that costs', async () => {
    const says = await lacks(({ body }) => ({
      choices: [{ message: { content: `seed ${String(body['seed'])}` } }],
    }));
    expect(says).toEqual([
      expect.stringMatching(/finish_reason.*trained on as if they were whole/),
      expect.stringMatching(/usage.*context is full/),
    ]);
  });

  it('and refuses a part of the sampling is said to use its own', async () => {
    await using server = await serve((response, asked) => {
      if (asked.path === '/v1/models') return json(response, { data: [{ id: baseName }] });
      if ('top_k' in asked.body)
        return json(response, { error: { message: 'Unknown parameters: top_k, min_p' } }, 400);
      json(response, wholeAnswer(asked));
    });
    expect(await endpointAt(server.url).examine(needs, signal)).toMatchObject([
      {
        says: expect.stringContaining('refuses top_k and min_p'),
        remedy: expect.stringContaining('generation-config'),
      },
    ]);
  });

  it('and has no likelihoods of prompts is said to cost measures of diversity', async () => {
    const says = await lacks(wholeAnswer, { ...needs, scores: true });
    expect(says).toEqual([expect.stringContaining('prompt_logprobs')]);
    await using server = await startVllm();
    const found = await endpointAt(server.url, 'vllm').examine({ ...needs, scores: true }, signal);
    expect(found.map(({ says: words }) => words).join()).not.toContain('prompt_logprobs');
  });

  it('and whose context has no room for an answer is refused', async () => {
    await using server = await startVllm({ context: 64 });
    await expect(endpointAt(server.url).examine(needs, signal)).rejects.toMatchObject({
      name: 'MaxTokensTooLarge',
      message: expect.stringContaining(
        'sampling.max_tokens is 64, and the context of the model has only 64 tokens',
      ),
    });
  });

  it('and whose context a long debate overruns is said to, with the sum', async () => {
    const says = async (context: number): Promise<string> => {
      await using server = await startVllm({ context });
      const found = await endpointAt(server.url).examine(needs, signal);
      return found.map(({ says: words }) => words).join();
    };
    // 3 messages of 18, 10 and 36 characters, each with its end; three answers in them, and one more.
    expect(await says(67 + 4 * 64 - 1)).toMatch(/has 322 tokens there, and a debate can need 323/);
    expect(await says(67 + 4 * 64)).not.toContain('a debate can need');
  });

  it('and whose chat template refuses a debate is reported in its own words', async () => {
    const words = 'Conversation roles must alternate user/assistant/user/assistant/...';
    await using server = await serve((response, { path }) =>
      path === '/v1/models'
        ? json(response, { data: [{ id: baseName }] })
        : json(response, { error: { message: words, code: 400 } }, 400),
    );
    await expect(endpointAt(server.url).examine(needs, signal)).rejects.toMatchObject({
      name: 'EngineRefused',
      retryable: false,
      message: expect.stringContaining(words),
    });
  });
});

describe('a server that loads models on demand', () => {
  it.each([
    ['lists none', 200, { object: 'list', data: [] }],
    ['fails to list any, as it has no cache yet', 500, { detail: 'Internal Server Error' }],
  ])('and %s is asked for one token', async (_, status, list) => {
    await using server = await serve((response, asked) =>
      asked.path === '/v1/models'
        ? json(response, list, status)
        : json(response, { ...wholeAnswer(asked), model: `${baseName}@main` }),
    );
    expect(await endpointAt(server.url, 'vllm').check()).toBe(null);
    expect(server.asked.at(-1)!.body['max_tokens']).toBe(1);
  });

  it('and does not know the model is refused', async () => {
    await using server = await serve((response, { path }) =>
      path === '/v1/models' ? json(response, { data: [] }) : json(response, { detail: 'no such model' }, 404),
    );
    await expect(endpointAt(server.url).check()).rejects.toMatchObject({ name: 'ModelNotServed' });
  });
});

describe('another program at the address of an endpoint', () => {
  it.each<[string, Parameters<typeof serve>[0], RegExp]>([
    [
      'that answers /health alone',
      (response, { path }) => (path === '/health' ? json(response, {}) : json(response, {}, 404)),
      /lists no models .*correct the URL/,
    ],
    ['that answers with a page', (response) => void response.end('<html>Grafana</html>'), /Is this the URL/],
    ['that answers with other JSON', (response) => json(response, {}), /Is this the URL/],
    ['that takes no POST', (response) => json(response, {}, 405), /is the URL right/],
    [
      'that sends to a login',
      (response) => void response.writeHead(302, { location: '/login' }).end(),
      /\/login/,
    ],
    [
      'that is a server of another model',
      (response, { path }) =>
        path === '/v1/models' ? json(response, { data: [{ id: 'b/model' }] }) : json(response, {}, 404),
      /It serves: b\/model/,
    ],
  ])('%s is found by the check', async (_, answer, message) => {
    await using server = await serve(answer);
    const error = await errorOf(endpointAt(server.url, 'vllm').check());
    expect(error.message).toMatch(message);
  });
});
