import { readFile, stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { whyUnreadable } from '../grading/grader.ts';
import {
  InvalidTaskFile,
  type TaskFileFault,
  TaskFileNotReadable,
  type UnreadableGold,
  UnreadableGoldAnswers,
} from './errors.ts';
import { gsm8kGold, mathGold } from './gold.ts';
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

/** A row of a file, not checked yet, or why it is none. `line` counts from 1: the line, or the row of a Parquet file. */
export type Row = { readonly line: number } & ({ readonly content: unknown } | { readonly fault: string });

/**
 * The rows of a file: of JSON lines (empty ones are skipped), or of a Parquet file when its name ends in `.parquet`.
 *
 * @param path absolute
 * @throws InvalidTaskFile when it is missing, empty, no text in UTF-8, or no Parquet file; TaskFileNotReadable
 */
export async function readRows(path: string): Promise<Row[]> {
  await requireOrdinaryFile(path);
  const rows = path.endsWith('.parquet') ? await parquetRows(path) : await lines(path);
  if (rows.length === 0) throw new InvalidTaskFile(path, [{ line: 0, message: 'it is empty' }]);
  return rows;
}

/** A device or a pipe has no end that could be waited for. */
async function requireOrdinaryFile(path: string): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw readFault(path, 'it cannot be read', error);
  });
  if (!found.isFile())
    throw new InvalidTaskFile(path, [{ line: 0, message: 'it cannot be read: it is no ordinary file' }]);
}

/** What only this worker, or only this moment, keeps from being read is no fault of the file. */
function readFault(path: string, what: string, error: unknown): InvalidTaskFile | TaskFileNotReadable {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof Error && mayPass.has(code)) return new TaskFileNotReadable(path, error);
  return new InvalidTaskFile(path, [{ line: 0, message: `${what}: ${messageOf(error)}` }]);
}

const mayPass = new Set(
  'EACCES EPERM EMFILE ENFILE EIO ESTALE EBUSY EAGAIN ENOMEM ETIMEDOUT EHOSTDOWN ENOTCONN'.split(' '),
);

async function parquetRows(path: string): Promise<Row[]> {
  // Only now, as most workers never read such a file.
  const [{ asyncBufferFromFile, parquetReadObjects }, { compressors }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet-compressors'),
  ]);
  try {
    const contents = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
    return contents.map((content, index) => ({ line: index + 1, content }));
  } catch (error) {
    throw readFault(path, 'it cannot be read as Parquet', error);
  }
}

async function lines(path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [index, line] of (await readText(path)).split('\n').entries()) {
    if (line.trim() === '') continue;
    rows.push({ line: index + 1, ...parsed(line) });
  }
  return rows;
}

function parsed(line: string): { content: unknown } | { fault: string } {
  try {
    return { content: JSON.parse(line) };
  } catch (error) {
    return { fault: `no JSON${whereItStops(messageOf(error))}` };
  }
}

/** The engine's own words about bad JSON quote the text, and any file of the worker's host can be named as a task file. */
function whereItStops(words: string): string {
  if (/end of JSON input/.test(words)) return ': the line ends too early';
  const place = /at position (\d+)/.exec(words)?.[1];
  return place === undefined ? '' : `: it is wrong from character ${Number(place) + 1} on`;
}

async function readText(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw readFault(path, 'it cannot be read', error);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidTaskFile(path, [{ line: 0, message: 'it is not text in UTF-8' }]);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
  for (const [index, row] of (await readRows(path)).entries()) {
    // A large file takes seconds: other steps of the worker have heartbeats to send meanwhile.
    if (index % 1000 === 999) await setImmediate();
    const problem = problemIn(row, shape);
    if (typeof problem === 'string') faults.push({ line: row.line, message: problem });
    if (problem === null || typeof problem === 'string') continue;
    const bad = unreadableAnswer(problem, why);
    if (bad === null) problems.push(problem);
    else unreadable.push({ line: row.line, ...bad, problem });
  }
  if (faults.length > 0) throw new InvalidTaskFile(path, faults, shape.expected);
  if (unreadable.length > 0 && !skipUnreadable) {
    throw new UnreadableGoldAnswers(path, unreadable, problems.length + unreadable.length);
  }
  return { problems, unreadable: unreadable.map(({ problem }) => problem) };
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
