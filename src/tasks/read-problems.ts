import { setImmediate } from 'node:timers/promises';
import { whyUnreadable } from './graders/why-unreadable.ts';
import { InvalidTaskFile, type TaskFileFault } from './invalid-task-file.ts';
import type { Problem } from './problem.ts';
import { readRows, type Row } from './read-rows.ts';
import type { RowShape } from './row-shape.ts';
import { type UnreadableGold, UnreadableGoldAnswers } from './unreadable-gold-answers.ts';

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
 * @throws InvalidTaskFile when the file cannot be read or is empty, or with every bad row
 * @throws UnreadableGoldAnswers unless they are skipped
 */
export async function readProblems(
  path: string,
  shape: RowShape,
  skipUnreadable: boolean,
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
    const why = whyUnreadable(problem.answer);
    if (why === null) problems.push(problem);
    else unreadable.push({ line: row.line, answer: problem.answer, why, problem });
  }
  if (faults.length > 0) throw new InvalidTaskFile(path, faults, shape.expected);
  if (unreadable.length > 0 && !skipUnreadable) {
    throw new UnreadableGoldAnswers(path, unreadable, problems.length + unreadable.length);
  }
  return { problems, unreadable: unreadable.map(({ problem }) => problem) };
}

/** The question of a row, null when it is not asked for, or what is wrong with the row. */
function problemIn(row: Row, { schema }: RowShape): Problem | null | string {
  if ('fault' in row) return row.fault;
  const parsed = schema.safeParse(row.content);
  if (parsed.success) return parsed.data;
  return parsed.error.issues
    .map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '))
    .join('; ');
}
