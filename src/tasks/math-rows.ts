import { z } from 'zod';
import { extractAnswer } from '../algorithm/answer.ts';
import { filledText, rowOf, type RowShape } from './row-shape.ts';

const allLevels = [1, 2, 3, 4, 5];

/** Rows of MATH: the gold answer is the last `\boxed{…}` of `solution`, the level a text such as `Level 3`. */
export function mathRows(levels: readonly number[] = allLevels): RowShape {
  return {
    schema: rowOf({
      problem: filledText,
      level: z.string('expected a text such as "Level 3"'),
      solution: filledText.refine((solution) => goldOf(solution) !== null, 'has no \\boxed{answer}'),
    }).transform(({ problem, level, solution }) =>
      // A few have the level "Level ?": they belong to none.
      levels.includes(Number(/^Level (\d)$/.exec(level)?.[1]))
        ? { text: problem, answer: goldOf(solution) ?? '' }
        : null,
    ),
    expected: 'an object {"problem": "…", "level": "Level 3", "solution": "… \\boxed{42} …"}',
  };
}

/** Rows of MATH-500, which has the answer by itself and the level as a number. */
export function math500Rows(levels: readonly number[] = allLevels): RowShape {
  return {
    schema: rowOf({
      problem: filledText,
      level: z.union([z.int(), z.bigint().transform(Number)], 'expected a whole number'),
      answer: filledText,
    }).transform(({ problem, level, answer }) => (levels.includes(level) ? { text: problem, answer } : null)),
    expected: 'an object {"problem": "…", "answer": "42", "level": 3}',
  };
}

function goldOf(solution: string): string | null {
  return /\\(?:boxed|fbox)(?![a-zA-Z])/.test(solution) ? extractAnswer(solution) : null;
}
