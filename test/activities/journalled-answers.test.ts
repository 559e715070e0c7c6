import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerJournal, openAnswerJournal } from '../../src/activities/asking/answer-journal.ts';
import { journalledAnswers } from '../../src/activities/asking/journalled-answers.ts';
import type { Message } from '../../src/algorithm/agents.ts';
import { experimentConfigSchema } from '../../src/config/experiment.ts';
import { createEndpoints } from '../../src/engines/endpoint/open.ts';
import { claim } from '../../src/store/files/take-over.ts';
import { completion, json, serve } from '../engines/fixtures/http-server.ts';
import { modelNamed } from '../support/models.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { placeAt } from '../support/places.ts';

const { signal } = new AbortController();
const dialogue = (turns: number): Message[] =>
  Array.from({ length: 2 * turns - 1 }, (_, index) => ({
    role: index % 2 === 0 ? 'user' : 'assistant',
    content: `turn ${index + 1}`,
  }));
const utterance = (turns: number) => ({
  questionId: 'train-00007',
  agent: 2,
  round: turns,
  speaker: 'critic',
  model: modelNamed('tiny', 'tiny'),
  messages: dialogue(turns),
  seed: 1,
});

/** A model into whose context no more than three messages fit. */
const short = () =>
  serve((response, { body }) => {
    const { messages } = body as { messages: unknown[] };
    return messages.length > 3
      ? json(response, { error: { message: "This model's maximum context length is 9 tokens." } }, 400)
      : json(response, completion(JSON.stringify(messages)));
  });

describe('a dialogue that is too long for the model', () => {
  let folder: string;
  let journal: AnswerJournal;
  beforeEach(async () => {
    folder = temporaryFolder();
    journal = await openAnswerJournal({ path: join(folder, 'journal.jsonl'), segments: null }, 1);
  });
  afterEach(async () => {
    await journal.close();
    await rm(folder, { recursive: true });
  });

  async function answer(url: string, truncate: boolean, turns: number) {
    const endpoints = createEndpoints(
      { tiny: { kind: 'openai', url } },
      { logFolder: folder, modelFolder: async (key) => key },
    );
    const config = experimentConfigSchema.parse({
      truncate_dialogues: truncate,
      sampling: { enable_thinking: false },
      model: { endpoint: 'tiny', model_name_or_path: 'tiny' },
    });
    const mine = await claim(placeAt(join(folder, 'shard')));
    try {
      const answers = journalledAnswers({
        journal,
        config,
        endpoints,
        claim: mine,
        signal,
        onBusy: () => undefined,
      });
      return await answers.give(utterance(turns), signal);
    } finally {
      await endpoints.close();
    }
  }

  it('is reported with its place, its length and the server’s words, and nothing is cut by default', async () => {
    await using server = await short();
    await expect(answer(server.url, false, 3)).rejects.toThrow(
      /train-00007 for agent 2 in round 3 \(critic, 5 messages, 30 characters\).*maximum context length is 9/s,
    );
    expect(server.asked).toHaveLength(1);
  });

  it('loses its oldest turns when the config allows that, never the question or the last answer, and that is counted', async () => {
    await using server = await short();
    const { text, turnsLeftOut } = await answer(server.url, true, 4);
    expect((JSON.parse(text) as Message[]).map(({ content }) => content)).toEqual([
      'turn 1',
      'turn 6',
      'turn 7',
    ]);
    expect(turnsLeftOut).toBe(2);
    // Every request has what the config says of the chat template, under the server's name for it.
    for (const { body } of server.asked) {
      expect(body).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
      expect(body).not.toHaveProperty('enable_thinking');
    }
  });

  it('that has no older turn to lose is reported even then', async () => {
    await using server = await serve((response) =>
      json(response, { error: { message: 'maximum context length is 1' } }, 400),
    );
    await expect(answer(server.url, true, 2)).rejects.toMatchObject({ name: 'PromptTooLong' });
  });
});
