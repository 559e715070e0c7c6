import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';
import type { Message } from '../../src/algorithm/agents.ts';
import { chatRow } from '../../src/algorithm/dataset.ts';
import { openAiRow, preferenceRow } from '../../src/export/rows.ts';

const message = fc.record({
  role: fc.constantFrom('user' as const, 'assistant' as const),
  content: fc.string(),
});

describe('an example as a chat', () => {
  it('has the messages of the dialogue in their order, and the loss on the last one alone', () => {
    fc.assert(
      fc.property(fc.array(message), fc.string(), (prompt, content) => {
        const response: Message = { role: 'assistant', content };
        const { messages } = chatRow({ prompt, completion: [response] });
        expect(messages.map(({ role, content }) => ({ role, content }))).toEqual([...prompt, response]);
        expect(messages.map(({ weight }) => weight)).toEqual([
          ...prompt.map(({ role }) => (role === 'assistant' ? 0 : undefined)),
          1,
        ]);
      }),
    );
  });
});

const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string) => ({ role: 'assistant' as const, content });

describe('what a model learnt from, for OpenAI', () => {
  const prompt = [user('3+4')];
  const [right, wrong] = [[assistant('7')] as const, [assistant('8')] as const];

  it('is a preference where it compared two answers', () => {
    expect(openAiRow({ prompt, chosen: right, rejected: wrong })).toEqual({
      input: { messages: prompt },
      preferred_output: right,
      non_preferred_output: wrong,
    });
  });

  it('is a chat for a wanted answer alone', () => {
    expect(openAiRow({ prompt, completion: right, label: true })).toEqual(
      chatRow({ prompt, completion: right }),
    );
    expect(openAiRow({ prompt, completion: wrong, label: false })).toBeNull();
  });
});

/** A debate of one agent; `right` is by round. */
function debate(...right: boolean[]): LabelledDebate {
  const dialogue = right.flatMap((_, round) => [
    user(`asked ${round + 1}`),
    assistant(`answer ${round + 1}`),
  ]);
  return { questionId: 'train-00000', dialogues: [dialogue], matches: [right], cut: [] };
}

describe('a preference between two answers of an agent', () => {
  it('prefers the corrected last answer to the wrong first one, asked the question alone', () => {
    expect(preferenceRow(1, debate(false, false, true))).toEqual({
      prompt: [user('asked 1')],
      chosen: [assistant('answer 3')],
      rejected: [assistant('answer 1')],
    });
  });

  it.each([
    ['the first answer was right', [true, true]],
    ['the last answer was wrong', [false, false]],
    ['the answer was spoilt', [true, false]],
    ['it was only right in between', [false, true, false]],
    ['the debate ended after round 1', [false]],
  ])('is none when %s', (_, right) => {
    expect(preferenceRow(1, debate(...right))).toBeNull();
  });

  it('is none for an agent that took no part', () => {
    expect(preferenceRow(2, debate(false, true))).toBeNull();
  });
});
