import { describe, expect, it } from 'vitest';
import type { Debate } from '../../../src/algorithm/debate.ts';
import type { Outcome } from '../../../src/algorithm/evaluation.ts';
import { browsedDebate, debateEntry, verdictOf } from '../../../src/report/debate-browser/browsed-debate.ts';

/** Two agents, two rounds; the gold answer is 1/2, which the grader found equal to 0.5 in round 1. */
const debate = (seconds: (string | null)[], consensus: string, agrees: boolean[]): Debate => ({
  question: { id: 'q', text: '?' },
  dialogues: [],
  answers: [
    ['0.5', seconds[0] ?? null],
    ['3', seconds[1] ?? null],
  ],
  majority: { answer: '0.5', votes: 1, tied: 2 },
  consensus: { answer: consensus, votes: 1, tied: 2 },
  agrees: [
    [false, agrees[0] === true],
    [false, agrees[1] === true],
  ],
  finishReasons: { responses: [], summaries: [] },
});
const outcome = (answer: string, correct: boolean): Outcome => ({
  questionId: 'q',
  question: '?',
  gold: '1/2',
  single: [
    { answer: '0.5', correct: true },
    { answer: '3', correct: false },
  ],
  majority: { answer: '0.5', correct: true },
  debate: { answer, correct },
  // Not looked at.
  right: [],
  classes: [],
  finishReasons: { responses: [], summaries: [] },
});

describe('the verdict on an answer of a later round', () => {
  const last = (held: Debate, came: Outcome) => [0, 1].map((agent) => verdictOf(held, came, agent, 2));

  it('is that of the same answer in round 1, or right when it is the gold answer as written', () => {
    expect(last(debate(['3', '1/2'], '9', [false, false]), outcome('9', false))).toEqual(['wrong', 'right']);
  });

  it('follows a right consensus: equal answers are right, others wrong', () => {
    expect(last(debate(['2/4', '8'], '4/8', [true, false]), outcome('4/8', true))).toEqual([
      'right',
      'wrong',
    ]);
  });

  it('is unknown when the answer differs from a wrong consensus and from all that was graded', () => {
    expect(last(debate(['9.0', '2/4'], '9', [true, false]), outcome('9', false))).toEqual([
      'wrong',
      'unknown',
    ]);
  });

  it('on a training question is whether it equals the consensus, as no gold answer was looked at', () => {
    const held = debate(['9.0', '2/4'], '9', [true, false]);
    expect([0, 1].map((agent) => verdictOf(held, null, agent, 2))).toEqual(['agrees', 'differs']);
  });

  it('is wrong when no answer can be read', () => {
    expect(last(debate([null, null], '4/8', [false, false]), outcome('4/8', true))).toEqual([
      'wrong',
      'wrong',
    ]);
  });
});

describe('a debate in which a response was cut off', () => {
  const cut: Debate = {
    ...debate(['3', '4'], '3', [true, false]),
    dialogues: [[], []],
    finishReasons: {
      responses: [
        ['stop', 'length'],
        ['unknown', 'stop'],
      ],
      summaries: [],
    },
  };

  it('is listed as such, and shows for each response why the model stopped', () => {
    expect(debateEntry(cut, null, { iteration: 1, block: 0, line: 0 }).cutOff).toBe(true);
    const reasons = browsedDebate(cut, null, false).rounds.map((turns) =>
      turns.map(({ finishReason }) => finishReason),
    );
    expect(reasons).toEqual([
      [{ word: 'stop', cutOff: false }, null],
      [
        { word: 'length', cutOff: true },
        { word: 'stop', cutOff: false },
      ],
    ]);
  });
});
