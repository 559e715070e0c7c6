/** The port to where questions come from. A task knows its questions and what an answer to them is. Steps ask the task, and never look at its kind. */
import { createHash } from 'node:crypto';
import type { AnswerRules, Gold } from '../algorithm/answer.ts';

/** Questions with gold answers, and what an answer to them is. test/questions/task.contract.ts runs for every kind. */
export interface Task {
  /**
   * All questions of the task; always the same ones for the same settings, seed, files and dataset revisions.
   *
   * @param kept the held-out questions of a series, which stay although the files may have changed; null in its first night and
   *   without a series
   * @throws InvalidConfig when there are fewer questions than asked for
   * @throws InvalidTaskFile when a file is missing, empty or has bad rows, or training and held-out files have questions in common
   * @throws UnreadableGoldAnswers when the grader cannot read some gold answers
   * @throws DatasetNotReachable when a dataset is neither in the cache nor on a hub that answers
   */
  pool(seed: number, kept: readonly Problem[] | null, signal?: AbortSignal): Promise<QuestionPool>;
  /** The questions that `pool` holds out, without loading what is trained on where that can be avoided. Throws as `pool` does. */
  heldOut(seed: number, signal?: AbortSignal): Promise<readonly Problem[]>;
  /** How an answer is read from a response, and when answers are equal or right. */
  readonly answers: AnswerRules;
}

/** A question with its gold answer, before it is decided what it may be used for. */
export type Problem = { readonly text: string } & Gold;

/** Questions excluded from an experiment, with the reason, for the report. */
export type LeftOut = {
  /** A clause, e.g. `training questions that MATH-500 has too`. */
  readonly what: string;
  readonly count: number;
  /** The first few, shortened. */
  readonly examples: readonly string[];
};

/** Questions by normalised text: none twice. In the order in which they came. */
export type ByText = ReadonlyMap<string, Problem>;

/** Of questions that differ only in white space and case the first one counts. */
export function byText(problems: Iterable<Problem>): ByText {
  const found = new Map<string, Problem>();
  for (const problem of problems) {
    const text = normalisedText(problem.text);
    if (!found.has(text)) found.set(text, problem);
  }
  return found;
}

/** The questions that `others` has not, and those that it has. */
export function apartFrom(
  others: { readonly has: (text: string) => boolean },
  problems: ByText,
): { readonly apart: ByText; readonly shared: readonly Problem[] } {
  const apart = new Map<string, Problem>();
  const shared: Problem[] = [];
  for (const [text, problem] of problems) {
    if (others.has(text)) shared.push(problem);
    else apart.set(text, problem);
  }
  return { apart, shared };
}

/** A text without what makes no other question of it: white space trimmed and collapsed, case folded. */
export function normalisedText(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}

/** Names a question by its normalised text, in 16 hexadecimal digits: what a series keeps of the questions that it has asked. */
export function questionKey(text: string): string {
  return createHash('sha256').update(normalisedText(text)).digest('hex').slice(0, 16);
}

/** A task's questions: those that measure, and those that may be trained on. None is in both. */
export type QuestionPool = {
  readonly heldOut: readonly Problem[];
  /** How many training questions there are. */
  readonly size: number;
  /** The training questions of a single experiment. */
  readonly training: () => readonly Problem[];
  /** How many training questions a night of a series has. */
  readonly trainSize: number;
  /** All training questions in the seeded order of a cycle, 0 the first; another cycle has another order. */
  readonly inOrder: (cycle: number) => Iterable<Problem>;
  /**
   * The validation questions, none of which is held out; none when the task asks for none.
   *
   * @param trained whether a question, by its text, is or was trained on: it is no validation question then
   * @throws InvalidConfig when too few are left
   */
  readonly validation: (trained: (text: string) => boolean) => Validation;
  readonly leftOut: readonly LeftOut[];
  /** Where they come from, when a config may leave that open. */
  readonly source?: Source;
};

/** A dataset of the hub as it was read: questions/source.json. The commit is null for a folder with a copy. */
export type Source = { readonly dataset: string; readonly revision: string | null; readonly config: string };

export type Validation = { readonly problems: readonly Problem[]; readonly leftOut: readonly LeftOut[] };

/** All questions of a task that is read: those that may be trained on and those that may be held out, none in both. */
export type Splits = {
  readonly training: ByText;
  readonly heldOut: ByText;
  /** Those of which validation questions may be drawn: held-out and training questions may be among them. */
  readonly validation: ByText;
  readonly leftOut: readonly LeftOut[];
  /** Where the two come from, for messages. */
  readonly from: { readonly training: string; readonly heldOut: string; readonly validation: string };
};
