/** Questions of one's own: files of rows `{"question": "…", "answer": "…"}` (further keys are ignored). */
import { resolve } from 'node:path';
import { z } from 'zod';
import type { AnswerRules } from '../algorithm/answer.ts';
import { InvalidConfig } from '../config/faults.ts';
import { hasValidation } from '../config/limits.ts';
import { type ConfigInput, isConfigInput } from '../config/load.ts';
import type { HubTask, JsonlTask } from '../config/tasks.ts';
import { requireDataFolder } from './row-files.ts';
import { ownGold, whyNeverGiven, whyUnreadable } from '../grading/grader.ts';
import { InvalidTaskFile } from './errors.ts';
import { decontaminated } from './hub.ts';
import {
  apartFrom,
  type ByText,
  byText,
  type LeftOut,
  type Problem,
  type Splits,
  type Task,
} from './task.ts';
import { filledText, mmluRows, readProblems, rowOf, type RowShape } from './rows.ts';
import { drawnTexts, leftOut, mostExamples, poolOf, repeats, shortened } from './select.ts';

/** The task of the questions in a user's own files. */
export function ownFilesTask(config: JsonlTask, answers: AnswerRules): Task {
  const pool: Task['pool'] = async (seed, kept, signal) =>
    poolOf(config, await jsonlSplits(config, seed, kept, signal), seed, kept);
  return {
    pool,
    // Which questions are held out depends on those that are trained on, so all are read.
    heldOut: async (seed, signal) => (await pool(seed, null, signal)).heldOut,
    answers,
  };
}

/**
 * The questions of the files: those of `test_file` are held out, or else some that the seed draws from `train_file`.
 *
 * @param kept the held-out questions of a series; null in its first night and without a series
 * @throws InvalidTaskFile when a file is missing, empty or has bad rows, or the two have questions in common
 * @throws UnreadableGoldAnswers
 * @throws InvalidConfig when there are too few to hold any out
 */
async function jsonlSplits(
  task: JsonlTask,
  seed: number,
  kept: readonly Problem[] | null,
  signal?: AbortSignal,
): Promise<Splits> {
  const train = await readOwn(task.train_file, task);
  const test = kept !== null || task.test_file === undefined ? null : await readOwn(task.test_file, task);
  const held = kept === null ? (test?.questions ?? heldOutOf(train.questions, task, seed)) : byText(kept);
  // Without a test_file, and in a series that goes on, they are drawn from the training file itself.
  const own = test === null ? apartFrom(held, train.questions).apart : train.questions;
  const { training, removed } = await decontaminated(own, task.decontaminate, signal);
  if (test !== null) requireNoOverlap(training, held, task.train_file, test.path);
  const validation = await validationFile(task, train, test);
  return {
    training,
    heldOut: held,
    validation: validation.questions,
    leftOut: [
      ...train.skipped,
      ...(test?.skipped ?? []),
      ...(task.validation_file === undefined ? [] : validation.skipped),
      ...removed,
    ],
    from: { training: train.path, heldOut: test?.path ?? train.path, validation: validation.path },
  };
}

/** The file whose questions may be for validation. A series that goes on does not read its test file for anything else. */
async function validationFile(task: JsonlTask, train: OwnFile, test: OwnFile | null): Promise<OwnFile> {
  if (!hasValidation(task)) return train;
  if (task.validation_file !== undefined) return readOwn(task.validation_file, task);
  return test ?? (task.test_file === undefined ? train : readOwn(task.test_file, task));
}

type OwnFile = {
  readonly path: string;
  readonly questions: ByText;
  readonly skipped: readonly LeftOut[];
};

async function readOwn(
  file: string,
  { skip_unreadable: skip = false, scorer, columns }: JsonlTask,
): Promise<OwnFile> {
  const path = resolve(file);
  await requireDataFolder(path);
  const { problems, unreadable } =
    scorer === undefined
      ? await readProblems(
          path,
          ownRows(ownGold, columns),
          skip,
          (gold) => whyUnreadable(gold) ?? whyNeverGiven(gold),
        )
      : await readProblems(path, ownRows(asWritten, columns), skip, anyGold);
  const skipped = [
    ...leftOut(`questions of ${path} whose gold answer the grader cannot read`, unreadable),
    ...repeats(path, problems),
  ];
  return { path, questions: byText(problems), skipped };
}

/** A held-out question that is trained on would measure memory. */
function requireNoOverlap(training: ByText, heldOut: ByText, trainFile: string, testFile: string): void {
  const { shared } = apartFrom(training, heldOut);
  if (shared.length === 0) return;
  const examples = shared.slice(0, mostExamples).map((problem) => JSON.stringify(shortened(problem)));
  const more = shared.length > mostExamples ? ', …' : '';
  const all = shared.length === heldOut.size;
  const which = all
    ? `no held-out question is left: all ${shared.length} are`
    : `${shared.length} of its ${heldOut.size} held-out questions are`;
  const message =
    `${which} also among the training questions of ${resolve(trainFile)}: ${examples.join(', ')}${more}. ` +
    `Remove them from one of the two files, or leave them out of the training with task.decontaminate: [${JSON.stringify(testFile)}].`;
  throw new InvalidTaskFile(testFile, [{ line: 0, message }]);
}

function heldOutOf(all: ByText, task: JsonlTask, seed: number): ByText {
  const size = task.test_size ?? Math.min(500, Math.floor(all.size / 5));
  const wanted = size + (task.train_size ?? 1);
  if (size === 0 || all.size < wanted) {
    const message = `${size || 1} held-out and ${task.train_size ?? 'some'} training questions are needed, but ${resolve(task.train_file)} has only ${all.size} different ones; name a test_file, or ask for fewer`;
    throw new InvalidConfig([{ path: 'task', message }]);
  }
  const chosen = drawnTexts(all, size, { seed, purpose: 'jsonl-split' });
  return new Map([...all].filter(([text]) => chosen.has(text)));
}

/**
 * JSON's numbers are read as doubles: up to 15 digits survive that, and what has more may have been another number in the file.
 */
const exactNumber = z
  .number()
  .refine((value) =>
    Number.isInteger(value) ? Number.isSafeInteger(value) : Number(value.toPrecision(15)) === value,
  )
  .transform(String);

const oneAnswer = z.union([filledText, exactNumber, z.bigint().transform(String)]);
/** An empty answer is an unreadable one: with `skip_unreadable` the question is left out. */
const emptyAnswer = z.union([z.string().regex(/^\s*$/), z.null().transform(() => '')]);

/** A scorer of one's own gets gold answers as they stand in the file, and may read any. */
const asWritten = (answer: string): string => answer;
const anyGold = (): null => null;

/**
 * Rows of one's own: `{"question": "…", "answer": "…"}`, where the answer may be a number, a worked solution that marks it, or a list of
 * answers that are all accepted. With `columns.choices` they are rows of multiple choice.
 *
 * @param goldOf the gold answer in an answer of a row; null where there is none
 * @param columns their names in the file
 * @param solution what an answer has to be, in words
 */
export function ownRows(
  goldOf: (answer: string) => string | null,
  columns: NonNullable<HubTask['columns']> = { question: 'question', answer: 'answer' },
  solution = '…',
): RowShape {
  const { question, answer, choices } = columns;
  const ours = (row: unknown): unknown =>
    isConfigInput(row)
      ? {
          question: valueAt(row, question),
          answer: valueAt(row, answer),
          ...(choices === undefined ? {} : { choices: valueAt(row, choices) }),
        }
      : row;
  const shown = (...fields: readonly (readonly [string, string])[]) =>
    `an object {${fields.map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(', ')}}`;
  if (choices !== undefined)
    return {
      schema: z.preprocess(ours, mmluRows.schema),
      expected: shown([question, '"…"'], [choices, '["…", "…", "…", "…"]'], [answer, '2']),
      columnsSetting: 'task.columns: {question: NAME, choices: NAME, answer: NAME}',
    };
  const row = rowOf({
    question: filledText,
    answer: z.union([oneAnswer, emptyAnswer, z.array(oneAnswer).min(1)], {
      error: ({ input }) =>
        input === undefined
          ? 'missing'
          : 'expected a text, a list of texts, or a number of at most 15 digits: one with more is rounded when it is read, so write it as a text',
    }),
  }).transform(({ question, answer }, context) => {
    const golds: string[] = [];
    for (const each of Array.isArray(answer) ? answer : [answer]) {
      const gold = each.trim() === '' ? '' : goldOf(each);
      if (gold !== null) golds.push(gold);
      else
        context.addIssue({ code: 'custom', path: ['answer'], message: `has no final answer (${solution})` });
    }
    const [first = '', ...accepted] = golds;
    return { text: question, answer: first, ...(accepted.length === 0 ? {} : { accepted }) };
  });
  return {
    schema: z.preprocess(ours, row),
    expected: shown([question, '"…"'], [answer, JSON.stringify(solution)]),
    columnsSetting: 'task.columns: {question: NAME, answer: NAME}',
  };
}

/** The value of a column, or of a field within one: `question.text`. A column whose own name has a dot is found too. */
function valueAt(row: ConfigInput, column: string): unknown {
  if (Object.hasOwn(row, column)) return row[column];
  const dot = column.indexOf('.');
  const within = dot < 0 ? undefined : row[column.slice(0, dot)];
  return isConfigInput(within) ? valueAt(within, column.slice(dot + 1)) : undefined;
}
