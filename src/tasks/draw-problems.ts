import { seedFor, shuffle } from '../algorithm/random.ts';
import type { ByText } from './by-text.ts';
import type { Problem } from './problem.ts';

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
