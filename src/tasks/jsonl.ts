/** Questions of one's own: files of lines `{"question": "…", "answer": "…"}` (answers may be numbers; further keys are ignored). */
import { resolve } from 'node:path';
import { seedFor, shuffle } from '../algorithm/random.ts';
import { InvalidConfig } from '../config/invalid-config.ts';
import type { JsonlTask } from '../config/task-config.ts';
import { InvalidTaskFile } from './invalid-task-file.ts';
import type { Problem, Problems } from './problem.ts';
import { normalisedText } from './question-key.ts';
import type { QuestionPool } from './question-pool.ts';
import { readProblems } from './read-problems.ts';

/**
 * Reads the files and draws as many questions as are asked for. Of questions that differ only in white space and case the
 * first one counts. A held-out question that is also among the training file's is dropped: it would measure memory.
 *
 * @throws InvalidTaskFile when a file is missing, empty or has bad lines, or no held-out question is left
 * @throws InvalidConfig when there are fewer questions than asked for
 */
export async function jsonl(task: JsonlTask, seed: number): Promise<Problems> {
  const { training, heldOut } = await split(task, seed);
  return {
    train: drawn(training, task.train_size, seed, 'jsonl-train'),
    heldOut: drawn(heldOut, task.test_size, seed, 'jsonl-heldout'),
  };
}

/**
 * All training questions of the file that are not held out.
 *
 * @param keptHeldOut the held-out questions of a series, which stay although the files may have changed; null in its first night
 * @throws as `jsonl` does
 */
export async function jsonlPool(
  task: JsonlTask,
  seed: number,
  keptHeldOut: readonly Problem[] | null,
): Promise<QuestionPool> {
  const poolOf = (training: ByText, heldOut: readonly Problem[]): QuestionPool => ({
    heldOut,
    size: training.size,
    inOrder: (cycle) => inDrawnOrder(training, seed, cycle),
  });
  if (keptHeldOut !== null) return poolOf(await trainingApartFrom(keptHeldOut, task), keptHeldOut);
  const { training, heldOut } = await split(task, seed);
  return poolOf(training, drawn(heldOut, task.test_size, seed, 'jsonl-heldout'));
}

/** The questions of the training file and those that may be held out, with none in both. */
async function split(
  task: JsonlTask,
  seed: number,
): Promise<{ readonly training: ByText; readonly heldOut: ByText }> {
  const all = distinct(await readProblems(resolve(task.train_file)));
  const { training, heldOut } =
    task.test_file === undefined
      ? holdOut(all, task, seed)
      : {
          training: all,
          heldOut: apart(distinct(await readProblems(resolve(task.test_file))), all, task.test_file),
        };
  if (training.size < (task.train_size ?? 1)) {
    throw tooFew('task.train_size', task.train_size ?? 1, training.size, task.train_file);
  }
  if (heldOut.size < (task.test_size ?? 1)) {
    throw tooFew('task.test_size', task.test_size ?? 1, heldOut.size, task.test_file ?? task.train_file);
  }
  return { training, heldOut };
}

/** The training file's questions but for those held out. */
async function trainingApartFrom(heldOut: readonly Problem[], task: JsonlTask): Promise<ByText> {
  const kept = distinct(heldOut);
  const all = distinct(await readProblems(resolve(task.train_file)));
  const training = new Map([...all].filter(([text]) => !kept.has(text)));
  if (training.size < (task.train_size ?? 1)) {
    throw tooFew('task.train_size', task.train_size ?? 1, training.size, task.train_file);
  }
  return training;
}

/** By normalised text: white space trimmed and collapsed, case folded. */
type ByText = ReadonlyMap<string, Problem>;

function distinct(problems: readonly Problem[]): ByText {
  const byText = new Map<string, Problem>();
  for (const problem of problems) {
    const text = normalisedText(problem.text);
    if (!byText.has(text)) byText.set(text, problem);
  }
  return byText;
}

function apart(heldOut: ByText, training: ByText, file: string): ByText {
  const left = new Map([...heldOut].filter(([text]) => !training.has(text)));
  if (left.size === 0) {
    const message = `no held-out question is left: all ${heldOut.size} are also among the training questions`;
    throw new InvalidTaskFile(resolve(file), [{ line: 0, message }]);
  }
  return left;
}

function holdOut(all: ByText, task: JsonlTask, seed: number): { training: ByText; heldOut: ByText } {
  const size = task.test_size ?? Math.min(500, Math.floor(all.size / 5));
  const wanted = size + (task.train_size ?? 1);
  if (size === 0 || all.size < wanted) {
    const message = `${size || 1} held-out and ${task.train_size ?? 'some'} training questions are needed, but ${resolve(task.train_file)} has only ${all.size} different ones; name a test_file, or ask for fewer`;
    throw new InvalidConfig([{ path: 'task', message }]);
  }
  const order = shuffle({ seed, iteration: 0, purpose: 'jsonl-split' }, [...all.keys()]);
  const chosen = new Set(order.slice(0, size));
  const part = (keep: boolean): ByText => new Map([...all].filter(([text]) => chosen.has(text) === keep));
  return { heldOut: part(true), training: part(false) };
}

/** In the file's order, whatever was drawn: shards then hold neighbours, as in the file. */
function drawn(problems: ByText, size: number | undefined, seed: number, purpose: string): Problem[] {
  if (size === undefined || size === problems.size) return [...problems.values()];
  const chosen = new Set(shuffle({ seed, iteration: 0, purpose }, [...problems.keys()]).slice(0, size));
  return [...problems].filter(([text]) => chosen.has(text)).map(([, problem]) => problem);
}

/** Each question at a place that its own text decides, so that a file that grows changes the order of no two others. */
function inDrawnOrder(problems: ByText, seed: number, cycle: number): Problem[] {
  const place = (question: string) =>
    seedFor({ seed, iteration: 0, purpose: `jsonl-train ${cycle}`, question });
  return [...problems]
    .map(([text, problem]) => ({ text, problem, at: place(text) }))
    .toSorted((a, b) => a.at - b.at || (a.text < b.text ? -1 : 1))
    .map(({ problem }) => problem);
}

function tooFew(path: string, wanted: number, found: number, file: string): InvalidConfig {
  const message = `${wanted} questions were asked for, but ${resolve(file)} has only ${found} that can be used`;
  return new InvalidConfig([{ path, message }]);
}
