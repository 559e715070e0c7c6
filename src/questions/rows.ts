import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { isConfigInput } from '../config/load.ts';
import { gsm8kGold, mathGold, whyUnreadable } from '../grading/grader.ts';
import { InvalidTaskFile, type TaskFileFault, type UnreadableGold, UnreadableGoldAnswers } from './errors.ts';
import type { Problem } from './task.ts';
import { type Row, readRows } from './row-files.ts';

/** What the rows of a kind of file are. */
export type RowShape = {
  /** Takes a row to its question, or to null when the task does not ask it. */
  readonly schema: z.ZodType<Problem | null>;
  /** In words, behind "each line has to be". */
  readonly expected: string;
  /** The setting that names the columns with the question and the answer, as a person writes it; undefined where there is none. */
  readonly columnsSetting?: string;
};

/** A text with more in it than white space. */
export const filledText = z
  .string({ error: ({ input }) => (input === undefined ? 'missing' : 'expected a text') })
  .refine((text) => text.trim() !== '', 'is empty');

/** A row as an object with these fields. */
export function rowOf<Fields extends z.ZodRawShape>(fields: Fields): z.ZodObject<Fields> {
  return z.object(fields, 'expected an object');
}

/** The questions of a file, and those whose gold answers the grader cannot read. */
export type ReadProblems = {
  readonly problems: readonly Problem[];
  readonly unreadable: readonly Problem[];
};

/**
 * The questions of a file of JSON lines or Parquet.
 *
 * @param path absolute
 * @param shape what its rows are
 * @param skipUnreadable whether questions are left out whose gold answers the grader cannot read
 * @param why why a gold answer cannot be read; null when it can
 * @throws InvalidTaskFile when the file cannot be read or is empty, or with every bad row
 * @throws UnreadableGoldAnswers unless they are skipped
 */
export async function readProblems(
  path: string,
  shape: RowShape,
  skipUnreadable: boolean,
  why: (answer: string) => string | null = whyUnreadable,
): Promise<ReadProblems> {
  const problems: Problem[] = [];
  const faults: TaskFileFault[] = [];
  const unreadable: (UnreadableGold & { readonly problem: Problem })[] = [];
  let columns: readonly string[] | undefined;
  let characters = 0;
  let read = 0;
  for await (const row of readRows(path)) {
    // A large file takes seconds: other steps of the worker have heartbeats to send meanwhile.
    if (++read % 1000 === 0) await setImmediate();
    const problem = problemIn(row, shape);
    if (typeof problem === 'string' && 'content' in row) columns ??= columnsOf(row.content);
    if (typeof problem === 'object' && problem !== null) characters += problem.text.length;
    if (characters > mostCharacters) {
      const message = `its questions have more than ${mostCharacters / 1e6} MB of text: take a part of it`;
      throw new InvalidTaskFile(path, [{ line: 0, message }]);
    }
    if (typeof problem === 'object' && problem?.answer.trim() === '') {
      const empty = { answer: problem.answer, why: 'it is empty', problem };
      if (skipUnreadable) unreadable.push({ line: row.line, ...empty });
      else faults.push({ line: row.line, message: 'answer: is empty' });
      continue;
    }
    if (typeof problem === 'string') faults.push({ line: row.line, message: problem });
    if (problem === null || typeof problem === 'string') continue;
    const bad = unreadableAnswer(problem, why);
    if (bad === null) problems.push(problem);
    else unreadable.push({ line: row.line, ...bad, problem });
  }
  if (faults.length > 0) throw new InvalidTaskFile(path, faults, shape.expected, columnsText(columns, shape));
  if (unreadable.length > 0 && !skipUnreadable) {
    throw new UnreadableGoldAnswers(path, unreadable, problems.length + unreadable.length);
  }
  return { problems, unreadable: unreadable.map(({ problem }) => problem) };
}

/** All questions of a task are in memory at once. */
const mostCharacters = 200_000_000;

/** The names of a row's columns and of the fields in them, without their values: a person may have given them other names. */
function columnsOf(content: unknown): string[] | undefined {
  if (!isConfigInput(content)) return undefined;
  return Object.entries(content).flatMap(([name, value]) =>
    (columnsOf(value) ?? ['']).map((within) => (within === '' ? name : `${name}.${within}`)),
  );
}

function columnsText(columns: readonly string[] | undefined, { columnsSetting }: RowShape): string {
  if (columns === undefined || columns.length === 0) return '';
  const names = columns.slice(0, 12).map((name) => JSON.stringify(name.slice(0, 40)));
  const setting =
    columnsSetting === undefined
      ? ''
      : ` If the question and the answer are in others, name them: ${columnsSetting}.`;
  return `The columns there are ${names.join(', ')}${columns.length > names.length ? ', …' : ''}.${setting}`;
}

/** The first of a question's accepted answers that the grader cannot read; null when it can read all of them. */
function unreadableAnswer(
  { answer, accepted = [] }: Problem,
  why: (answer: string) => string | null,
): { answer: string; why: string } | null {
  for (const each of [answer, ...accepted]) {
    const reason = why(each);
    if (reason !== null) return { answer: each, why: reason };
  }
  return null;
}

/** The question of a row, null when it is not asked for, or what is wrong with the row. */
function problemIn(row: Row, { schema }: RowShape): Problem | null | string {
  if ('fault' in row) return row.fault;
  const parsed = schema.safeParse(row.content);
  if (parsed.success) return wholeCharacters(parsed.data);
  return parsed.error.issues
    .map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '))
    .join('; ');
}

/** JSON can write half of a character, which no tokenizer takes and no file in UTF-8 keeps. */
function wholeCharacters(problem: Problem | null): Problem | string | null {
  const halved = (text: string | undefined): boolean => /[\ud800-\udfff]/u.test(text ?? '');
  const part = halved(problem?.text) ? 'question' : halved(problem?.answer) ? 'answer' : null;
  if (part === null) return problem;
  return `its ${part} has half of a character (a lone surrogate such as \\ud83d), which no tokenizer takes`;
}

/** Rows of GSM8K: `answer` is a worked solution whose last line has the gold answer behind `####`. */
export const gsm8kRows: RowShape = {
  schema: rowOf({
    question: filledText,
    answer: filledText.refine((answer) => gsm8kGold(answer) !== '', 'has no final answer behind ####'),
  }).transform(({ question, answer }) => ({ text: question, answer: gsm8kGold(answer) })),
  expected: 'an object {"question": "…", "answer": "… #### 42"}',
};

const allLevels = [1, 2, 3, 4, 5];

/** Rows of MATH: the gold answer is the last `\boxed{…}` of `solution`, the level a text such as `Level 3`. */
export function mathRows(levels: readonly number[] = allLevels): RowShape {
  return {
    schema: rowOf({
      problem: filledText,
      level: z.string('expected a text such as "Level 3"'),
      solution: filledText.refine((solution) => mathGold(solution) !== null, 'has no \\boxed{answer}'),
    }).transform(({ problem, level, solution }) =>
      // A few have the level "Level ?": they belong to none.
      levels.includes(Number(/^Level (\d)$/.exec(level)?.[1]))
        ? { text: problem, answer: mathGold(solution) ?? '' }
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

const letters = 'ABCDEFGHIJ'.split('');

/** Rows of MMLU: a question with its choices, of which `answer` names the right one by its place (0 the first) or its letter. */
export const mmluRows: RowShape = {
  schema: rowOf({
    question: filledText,
    choices: z.array(z.string('expected a text')).min(2, 'expected two choices or more').max(letters.length),
    answer: z.union([z.int(), z.bigint().transform(Number), z.string()], 'expected a place or a letter'),
  }).transform(({ question, choices, answer }, context) => {
    const known = letters.slice(0, choices.length);
    const place = typeof answer === 'number' ? answer : known.indexOf(answer.trim());
    const letter = known[place];
    const right = choices[place];
    if (letter !== undefined && right !== undefined) {
      return { text: multipleChoice(question, choices), answer: `(${letter}) ${inOneLine(right)}` };
    }
    const message = `${JSON.stringify(answer)} is none of the ${choices.length} choices: expected a place from 0 to ${choices.length - 1}, or a letter from A to ${known.at(-1)}`;
    context.addIssue({ code: 'custom', path: ['answer'], message });
    return z.NEVER;
  }),
  expected: 'an object {"question": "…", "choices": ["…", "…", "…", "…"], "answer": 2}',
};

/** A question with its choices, as it is shown to a model. The gold answer beside it has letter and text, so that either is right. */
function multipleChoice(question: string, choices: readonly string[]): string {
  const listed = choices.map((choice, place) => `${letters[place]}) ${inOneLine(choice)}`);
  return `${question.trim()}\n\n${listed.join('\n')}\n\nGive the letter of the right choice as the answer.`;
}

function inOneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}
