import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, openAnswerJournal } from '../../src/activities/asking/answer-journal.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

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
