import type { Problem } from './problem.ts';
import { normalisedText } from './question-key.ts';

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
