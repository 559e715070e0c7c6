import { seedFor, shuffle } from '../algorithm/random.ts';
import { InvalidConfig } from '../config/faults.ts';
import {
  apartFrom,
  byText,
  type ByText,
  type LeftOut,
  normalisedText,
  type Problem,
  questionKey,
  type QuestionPool,
  type Splits,
  type Validation,
} from './task.ts';

/**
 * Notes on questions that a file has more than once, ignoring white space and case: the first one counts. Those whose other
 * answer is written otherwise are counted apart, as one of the two may be wrong.
 */
export function repeats(file: string, problems: readonly Problem[]): LeftOut[] {
  const first = new Map<string, string>();
  const same: Problem[] = [];
  const other: Problem[] = [];
  for (const problem of problems) {
    const text = normalisedText(problem.text);
    const answer = first.get(text);
    if (answer === undefined) first.set(text, problem.answer);
    else (answer.trim() === problem.answer.trim() ? same : other).push(problem);
  }
  return [
    ...leftOut(`questions of ${file} that it had before`, same),
    ...leftOut(`questions of ${file} that it had before with another answer, which counts`, other),
  ];
}

/** A note on questions that are left out; none when there are no such questions. */
export function leftOut(what: string, problems: readonly Problem[]): LeftOut[] {
  if (problems.length === 0) return [];
  return [{ what, count: problems.length, examples: problems.slice(0, mostExamples).map(shortened) }];
}

/** A question as an example, in one short line. */
export function shortened({ text }: Problem): string {
  const line = text.trim().replace(/\s+/g, ' ');
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

export const mostExamples = 3;
const longest = 80;

/**
 * @param path of the setting that asks for them
 * @throws InvalidConfig with both numbers
 */
export function requireEnough(path: string, wanted = 1, { size }: ByText, from: string): void {
  if (size >= wanted) return;
  const message = `${askedFor(wanted, 'question')}, but ${from} has only ${size} that can be used`;
  throw new InvalidConfig([{ path, message }]);
}

function askedFor(wanted: number, one: string): string {
  return `${wanted} ${one}${wanted === 1 ? ' was' : 's were'} asked for`;
}

/** What a draw of questions depends on: the seed, and what they are drawn for, e.g. `jsonl-train`. */
export type QuestionDraw = { readonly seed: number; readonly purpose: string };

/**
 * So many of the questions, all of them by default. They come in the order in which they were, whatever was drawn: shards then
 * hold neighbours, as in the file.
 */
export function drawn(problems: ByText, size: number | undefined, draw: QuestionDraw): Problem[] {
  if (size === undefined || size === problems.size) return [...problems.values()];
  const chosen = drawnTexts(problems, size, draw);
  return [...problems].filter(([text]) => chosen.has(text)).map(([, problem]) => problem);
}

/** The normalised texts of so many of the questions. */
export function drawnTexts(
  problems: ByText,
  size: number,
  { seed, purpose }: QuestionDraw,
): ReadonlySet<string> {
  return new Set(shuffle({ seed, iteration: 0, purpose }, [...problems.keys()]).slice(0, size));
}

/** Each question at a place that its own text decides, so that a file that grows changes the order of no two others. */
export function inDrawnOrder(problems: ByText, { seed, purpose }: QuestionDraw): Problem[] {
  const place = (question: string) => seedFor({ seed, iteration: 0, purpose, question });
  return [...problems]
    .map(([text, problem]) => ({ text, problem, at: place(text) }))
    .toSorted((a, b) => a.at - b.at || (a.text < b.text ? -1 : 1))
    .map(({ problem }) => problem);
}

/** What a task asks for whose questions are read from files. */
type DrawnSizes = {
  readonly kind: string;
  readonly train_size?: number | undefined;
  readonly test_size?: number | undefined;
  readonly validation_size?: number | undefined;
  readonly validation_file?: string | undefined;
};

/**
 * The pool of a task whose questions are read: the seed draws from its splits.
 *
 * @param kept as in `Task.pool`
 * @throws InvalidConfig when there are fewer questions than asked for
 */
export function poolOf(
  sizes: DrawnSizes,
  splits: Splits,
  seed: number,
  kept: readonly Problem[] | null,
): QuestionPool {
  const { kind, train_size, test_size } = sizes;
  const { training, heldOut, leftOut: notAsked, from } = splits;
  requireEnough('task.train_size', train_size, training, from.training);
  if (kept === null) requireEnough('task.test_size', test_size, heldOut, from.heldOut);
  const held = kept ?? drawn(heldOut, test_size, { seed, purpose: `${kind}-heldout` });
  return {
    heldOut: held,
    size: training.size,
    training: () => drawn(training, train_size, { seed, purpose: `${kind}-train` }),
    trainSize: train_size ?? training.size,
    inOrder: (cycle) => inDrawnOrder(training, { seed, purpose: `${kind}-train ${cycle}` }),
    validation: (trained) => {
      const heldTexts = byText(held);
      return validationOf(sizes, splits, seed, (text) => heldTexts.has(text) || trained(text));
    },
    leftOut: notAsked,
  };
}

/** @param used whether a question, by its normalised text, is held out or trained on */
function validationOf(
  { kind, validation_size: size, validation_file: file }: DrawnSizes,
  { validation, from }: Splits,
  seed: number,
  used: (text: string) => boolean,
): Validation {
  if (size === 0 || (size === undefined && file === undefined)) return { problems: [], leftOut: [] };
  const { apart, shared } = apartFrom({ has: used }, validation);
  requireValidation(size, apart.size, from.validation);
  return {
    problems: drawn(apart, size, { seed, purpose: `${kind}-validation` }),
    // Of other files they are what is left of the questions.
    leftOut:
      file === undefined
        ? []
        : leftOut(`questions of ${from.validation} that are held out or trained on`, shared),
  };
}

/** @throws InvalidConfig when fewer questions are left than were asked for */
export function requireValidation(wanted = 1, left: number, from: string): void {
  if (left >= wanted) return;
  const message = `${askedFor(wanted, 'validation question')}, but ${from} has only ${left} that are neither held out nor trained on (in a series: by no night); ask for fewer, or lower task.test_size or task.train_size`;
  throw new InvalidConfig([{ path: 'task.validation_size', message }]);
}

/** Questions that a night has asked, all in one cycle through the pool: named by `questionKey`. */
export type Asked = { readonly cycle: number; readonly keys: readonly string[] };

/** The next questions of a series, and what to remember of them. */
export type FreshQuestions = { readonly problems: readonly Problem[]; readonly asked: readonly Asked[] };

/**
 * The next `size` questions of the pool: none twice until all were asked; then a new cycle begins, in another order. What was
 * asked is known by text and not by place, so that a pool may grow, shrink or change its order between two nights.
 *
 * @param before what the nights before have asked
 * @param size at most the pool's
 */
export function freshQuestions(pool: QuestionPool, before: readonly Asked[], size: number): FreshQuestions {
  const problems: Problem[] = [];
  const asked: Asked[] = [];
  const ofThisNight = new Set<string>();
  for (let cycle = Math.max(0, ...before.map((each) => each.cycle)); problems.length < size; cycle++) {
    const known = new Set(before.filter((each) => each.cycle === cycle).flatMap(({ keys }) => keys));
    const keys: string[] = [];
    for (const problem of pool.inOrder(cycle)) {
      if (problems.length === size) break;
      const key = questionKey(problem.text);
      // At the seam of two cycles, the end of the old one is not asked again in the same night.
      if (known.has(key) || ofThisNight.has(key)) continue;
      ofThisNight.add(key);
      keys.push(key);
      problems.push(problem);
    }
    if (keys.length > 0) asked.push({ cycle, keys });
  }
  return { problems, asked };
}
