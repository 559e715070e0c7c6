import type { LeftOut, Problem } from './problem.ts';

/** What is told of questions that are left out: nothing when there are none. */
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
