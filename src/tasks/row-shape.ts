import { z } from 'zod';
import type { Problem } from './problem.ts';

/** What the rows of a kind of file are. */
export type RowShape = {
  /** Takes a row to its question, or to null when the task does not ask it. */
  readonly schema: z.ZodType<Problem | null>;
  /** In words, behind "each line has to be". */
  readonly expected: string;
};

/** A text with more in it than white space. */
export const filledText = z.string('expected a text').refine((text) => text.trim() !== '', 'is empty');

/** A row as an object with these fields. */
export function rowOf<Fields extends z.ZodRawShape>(fields: Fields): z.ZodObject<Fields> {
  return z.object(fields, 'expected an object');
}
