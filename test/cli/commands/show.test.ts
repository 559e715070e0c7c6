import { describe, expect, it } from 'vitest';
import type { Debate } from '../../../src/algorithm/debate.ts';
import { debateText } from '../../../src/cli/commands/show.ts';

describe('a debate for the terminal', () => {
  const debate: Debate = {
    question: { id: 'train-00001', text: '2+3*4-5' },
    dialogues: [
      [
        { role: 'user', content: '2+3*4-5' },
        { role: 'assistant', content: 'first try \u001b[31m\\boxed{9}' },
        { role: 'user', content: '~10' },
        { role: 'assistant', content: 'second try \\boxed{10}' },
      ],
      [
        { role: 'user', content: '2+3*4-5' },
        { role: 'assistant', content: 'I do not know' },
        { role: 'user', content: '~9' },
        { role: 'assistant', content: '\\boxed{9}' },
      ],
    ],
    answers: [
      ['9', '10'],
      [null, '9'],
    ],
    majority: { answer: '9', votes: 1, tied: 1 },
    consensus: { answer: '10', votes: 1, tied: 2 },
    agrees: [
      [false, true],
      [false, false],
    ],
    finishReasons: { responses: [], summaries: [] },
  };

  it('shows each round with what was shown to whom, the answers and the vote', () => {
    const text = debateText(debate, 2);
    expect(text.indexOf('Round 1')).toBeLessThan(text.indexOf('first try'));
    expect(text.indexOf('Round 2')).toBeLessThan(text.indexOf('was shown: ~10'));
    expect(text).toContain('agent 2: no readable answer');
    expect(text).toContain('Consensus: 10, 1 of 2 votes, drawn among 2 with as many (after round 1: 9)');
  });

  it('lets no escape sequence of a model through', () => {
    expect(debateText(debate, 2)).not.toContain('\u001b');
    expect(debateText(debate, 2)).toContain(String.raw`first try \x1b[31m`);
  });
});
