import { expect, it } from 'vitest';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import { scoreResponses } from '../../src/engines/endpoint/model-server.ts';
import { type Asked, completion, json, serve } from './fixtures/http-server.ts';

const { signal } = new AbortController();
const messages = [{ role: 'user', content: '1+1' }] as const;

/** A server whose prompts have these token ids, each with a logprob of -its id: the first without, as vLLM has it. */
function scoring(idsOf: (asked: Asked) => readonly number[]) {
  return serve((response, asked) => {
    const tokens = idsOf(asked).map((id, place) =>
      place === 0 ? null : { [id]: { logprob: -id, rank: 1 } },
    );
    json(response, { ...completion('1'), prompt_logprobs: tokens });
  });
}

const continued = ({ body }: Asked): boolean => body['continue_final_message'] === true;

it('a response has the tokens that the prompt without it has not', async () => {
  await using server = await scoring((asked) => (continued(asked) ? [1, 2, 3, 40, 50] : [1, 2, 3]));
  const client = createChatClient({ url: server.url });
  const [score] = await scoreResponses(client, 'base', { messages, responses: ['2'] }, signal);
  expect(score).toEqual({ tokens: 2, logprob: -90 });
  const [before, whole] = server.asked.map(({ body }) => body);
  expect(before).toMatchObject({ model: 'base', messages, add_generation_prompt: true, prompt_logprobs: 0 });
  expect(whole).toMatchObject({
    messages: [...messages, { role: 'assistant', content: '2' }],
    add_generation_prompt: false,
    continue_final_message: true,
  });
});

it('a token that joins the end of the prompt and the beginning of the response counts', async () => {
  // A blank line after the template's own: one token in place of 3.
  await using server = await scoring((asked) => (continued(asked) ? [1, 2, 33, 50] : [1, 2, 3]));
  const client = createChatClient({ url: server.url });
  const [score] = await scoreResponses(client, 'base', { messages, responses: ['\n2'] }, signal);
  expect(score).toEqual({ tokens: 2, logprob: -83 });
});

it('a response that repeats the end of the prompt is not taken for it', async () => {
  await using server = await scoring((asked) => (continued(asked) ? [1, 2, 3, 3, 3] : [1, 2, 3]));
  const client = createChatClient({ url: server.url });
  const [score] = await scoreResponses(client, 'base', { messages, responses: ['33'] }, signal);
  expect(score).toEqual({ tokens: 2, logprob: -6 });
});

it('the prompt itself is asked for once for all responses to it, and nothing for a blank one', async () => {
  await using server = await scoring((asked) => (continued(asked) ? [1, 2, 9] : [1, 2]));
  const client = createChatClient({ url: server.url });
  const scores = await scoreResponses(client, 'base', { messages, responses: ['a', ' \n', 'b'] }, signal);
  expect(scores.map(({ tokens }) => tokens)).toEqual([1, 0, 1]);
  expect(server.asked).toHaveLength(3);
});

it.each([
  ['answers without them', 200, completion('1')],
  [
    'refuses to be asked for them',
    400,
    { error: { message: 'Unrecognized request argument supplied: prompt_logprobs' } },
  ],
])('a server that %s is said to have none', async (_, status, body) => {
  await using server = await serve((response) => json(response, body, status));
  const client = createChatClient({ url: server.url });
  await expect(scoreResponses(client, 'base', { messages, responses: ['2'] }, signal)).rejects.toMatchObject({
    name: 'PromptLogprobsUnsupported',
    url: expect.stringContaining(server.url),
  });
});

it('a prompt that is too long is refused in the words of the server', async () => {
  await using server = await serve((response) =>
    json(response, { error: { message: "This model's maximum context length is 5 tokens" } }, 400),
  );
  const client = createChatClient({ url: server.url });
  await expect(scoreResponses(client, 'base', { messages, responses: ['2'] }, signal)).rejects.toMatchObject({
    name: 'EngineRefused',
    status: 400,
  });
});

it('the variables of the template are in both prompts, so that an empty thinking is no part of the response', async () => {
  const off = { chat_template_kwargs: { enable_thinking: false } };
  await using server = await scoring((asked) => (continued(asked) ? [1, 2, 9, 9, 40] : [1, 2, 9, 9]));
  const client = createChatClient({ url: server.url });
  const [score] = await scoreResponses(client, 'base', { messages, responses: ['2'], ...off }, signal);
  expect(score).toEqual({ tokens: 1, logprob: -40 });
  for (const { body } of server.asked) expect(body).toMatchObject(off);
});
