import { z } from 'zod';
import { filledText, rowOf, type RowShape } from './row-shape.ts';

/**
 * JSON's numbers are read as doubles: up to 15 digits survive that, and what has more may have been another number in the file.
 */
const exactNumber = z
  .number()
  .refine((value) =>
    Number.isInteger(value) ? Number.isSafeInteger(value) : Number(value.toPrecision(15)) === value,
  )
  .transform(String);

/** Rows of one's own: `{"question": "…", "answer": "…"}`, where the answer may be a number. */
export const ownRows: RowShape = {
  schema: rowOf({
    question: filledText,
    answer: z.union(
      [filledText, exactNumber, z.bigint().transform(String)],
      'expected a text, or a number of at most 15 digits: one with more is rounded when it is read, so write it as a text',
    ),
  }).transform(({ question, answer }) => ({ text: question, answer })),
  expected: 'an object {"question": "…", "answer": "…"}',
};
