import { describe, expect, it } from 'vitest';
import { whyUnreadable } from '../../src/grading/grader.ts';
import { ownCases } from './own-cases.ts';

describe('a gold answer', () => {
  it.each([
    ['', 'nothing'],
    [' \\ ', 'nothing'],
    ['.', 'nothing'],
    ['$$', 'nothing'],
    ['\\frac{1}{0}', 'equals nothing'],
    ['5/0', 'equals nothing'],
    ['\\frac{1}{', 'brackets'],
    ['(1, 2', 'brackets'],
    ['x'.repeat(2001), '2001 characters'],
  ])('%j cannot be read: %s', (gold, why) => {
    expect(whyUnreadable(gold)).toContain(why);
  });

  it.each([
    '42',
    '[0, 1)',
    ']0,1[',
    '\\text{even}',
    'no solution',
    ':) smile',
    '(B) [0, 1',
    'D',
    '7!',
    '\\{1,2\\}',
  ])('%s can be read', (gold) => {
    expect(whyUnreadable(gold)).toBeNull();
  });

  it('that is equal to another answer can be read', () => {
    const unreadable = ownCases.filter(({ equal, gold }) => equal && whyUnreadable(gold) !== null);
    expect(unreadable).toEqual([]);
  });
});
