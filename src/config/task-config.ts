/** The `task` of an experiment: where its questions come from. */
import { z } from 'zod';

const mostQuestions = 100_000;

const range = z
  .tuple([z.int().min(0).max(1_000_000_000), z.int().min(0).max(1_000_000_000)])
  .refine(([least, most]) => least <= most, '[least, most]: the first number must not exceed the second');

const arithmeticTaskSchema = z
  .strictObject({
    kind: z.literal('arithmetic').describe('Generated arithmetic questions.'),
    form: z
      .string()
      .regex(
        /^[a-z](?:[-+*][a-z]){0,25}$/,
        'expected small letters joined by + - *, without spaces, e.g. a+b*c-d',
      )
      .default('a+b*c+d-e*f')
      .describe('Each letter stands for a drawn number, e.g. a+b*c-d.'),
    range: range.default([0, 30]).describe('[least, most] of every letter that `ranges` does not name.'),
    ranges: z
      .record(z.string().regex(/^[a-z]$/, 'expected one small letter'), range)
      .default({})
      .describe(
        '[least, most] of single letters. Letters that the form does not use are ignored, so that the form can be changed alone.',
      ),
    train_size: z
      .int()
      .min(1)
      .max(mostQuestions)
      .default(500)
      .describe('Questions to debate and learn from.'),
    test_size: z.int().min(1).max(mostQuestions).default(500).describe('Held-out questions.'),
  })
  .describe(
    'Arithmetic as in the paper: seeded, no question twice, training and held-out questions never the same.',
  );

const jsonlTaskSchema = z
  .strictObject({
    kind: z.literal('jsonl').describe('Questions from files of lines {"question": …, "answer": …}.'),
    train_file: z.string().min(1).describe("Absolute, or relative to the worker's current folder."),
    test_file: z
      .string()
      .min(1)
      .optional()
      .describe('Held-out questions. Without it, questions of train_file drawn by the seed are held out.'),
    train_size: z
      .int()
      .min(1)
      .max(mostQuestions)
      .optional()
      .describe('So many training questions, drawn by the seed. Default: all.'),
    test_size: z
      .int()
      .min(1)
      .max(mostQuestions)
      .optional()
      .describe(
        'So many held-out questions, drawn by the seed. Default: all of test_file; without one, a fifth of train_file, at most 500.',
      ),
  })
  .describe('Your own questions.');

export const taskConfigSchema = z.discriminatedUnion('kind', [arithmeticTaskSchema, jsonlTaskSchema]);
export type ArithmeticTask = z.infer<typeof arithmeticTaskSchema>;
export type JsonlTask = z.infer<typeof jsonlTaskSchema>;
