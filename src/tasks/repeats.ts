import { leftOut } from './left-out.ts';
import type { LeftOut, Problem } from './problem.ts';
import { normalisedText } from './question-key.ts';

/**
 * What is told of questions that a file has more than once, whatever their white space and case: the first one counts. Those whose other
 * answer is written otherwise are told apart, as one of the two may be wrong.
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
