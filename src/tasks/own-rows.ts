import { z } from 'zod';
import { filledText, rowOf, type RowShape } from './row-shape.ts';

/** Rows of one's own: `{"question": "…", "answer": "…"}`, where the answer may be a number. */
export const ownRows: RowShape = {
  schema: rowOf({
    question: filledText,
    answer: z.union(
      [filledText, z.number().transform(String), z.bigint().transform(String)],
      'expected a text or a number',
    ),
  }).transform(({ question, answer }) => ({ text: question, answer })),
  expected: 'an object {"question": "…", "answer": "…"}',
};
