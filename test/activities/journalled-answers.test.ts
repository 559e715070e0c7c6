import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Answer,
  type AnswerJournal,
  journalledAnswers,
  openAnswerJournal,
} from '../../src/activities/asking/journalled-answers.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import type { Message } from '../../src/algorithm/agents.ts';
import { experimentConfigSchema } from '../../src/config/experiment.ts';
import { createEndpoints } from '../../src/engines/endpoint/open.ts';
import { claim } from '../../src/store/files/take-over.ts';
import { completion, json, serve } from '../engines/fixtures/http-server.ts';
import { modelNamed } from '../support/models.ts';
import { placeAt } from '../support/places.ts';

const seven: Answer = { text: 'seven', promptTokens: 3, completionTokens: 1, finishReason: 'stop' };
const { signal } = new AbortController();
const gives = (answer: Answer) => async (keep: (answer: Answer) => void) => {
  keep(answer);
  return answer;
};
const neverAsked = () => {
  throw new Error('asked again');
};

describe('a journal of answers', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder, 'shard.journal.jsonl');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('asks once for equal requests that come at the same time, also from another experiment', async () => {
    const [mine, theirs] = [
      await openAnswerJournal({ path, segments: null }, 1),
      await openAnswerJournal({ path, segments: null }, 1),
    ];
    let arrive: (answer: Answer) => void = () => undefined;
    const asked = mine.answer('r', () => new Promise((resolve) => (arrive = resolve)), signal);
    const waited = theirs.answer('r', neverAsked, signal);
    arrive(seven);
    expect(await Promise.all([asked, waited])).toEqual([seven, seven]);
    await mine.close();
    await theirs.close();
  });

  it('has the answer in the file before the asking ends', async () => {
    const journal = await openAnswerJournal({ path, segments: null }, 1);
    let written = '';
    await journal.answer(
      'r',
      async (keep) => {
        keep(seven);
        written = await readFile(path, 'utf8');
        return seven;
      },
      signal,
    );
    expect(written).toContain('seven');
    await journal.close();
    const again = await openAnswerJournal({ path, segments: null }, 1);
    expect(await again.answer('r', neverAsked, signal)).toEqual(seven);
    await again.close();
  });

  it('asks itself when the one that was asking has given up', async () => {
    const journal = await openAnswerJournal({ path, segments: null }, 1);
    let giveUp: (error: Error) => void = () => undefined;
    const first = journal.answer('r', () => new Promise((_, reject) => (giveUp = reject)), signal);
    const second = journal.answer('r', gives(seven), signal);
    giveUp(new Error('cancelled'));
    await expect(first).rejects.toThrow('cancelled');
    expect(await second).toEqual(seven);
    await journal.close();
  });

  it('ends the waiting for another one when it is asked to stop', async () => {
    const journal = await openAnswerJournal({ path, segments: null }, 1);
    let arrive: (answer: Answer) => void = () => undefined;
    const first = journal.answer('r', () => new Promise((resolve) => (arrive = resolve)), signal);
    const stop = new AbortController();
    const second = journal.answer('r', neverAsked, stop.signal);
    stop.abort(new Error('told to stop'));
    await expect(second).rejects.toThrow('told to stop');
    arrive(seven);
    expect(await first).toEqual(seven);
    await journal.close();
  });

  it('stays open for others when one closes it', async () => {
    const [mine, theirs] = [
      await openAnswerJournal({ path, segments: null }, 1),
      await openAnswerJournal({ path, segments: null }, 1),
    ];
    await mine.close();
    expect(await theirs.answer('r', gives(seven), signal)).toEqual(seven);
    await theirs.close();
  });
});

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
