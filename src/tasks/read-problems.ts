import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { InvalidTaskFile, type TaskFileFault } from './invalid-task-file.ts';
import type { Problem } from './problem.ts';

/**
 * The rows of a JSONL file of `{question, answer}`; empty lines are skipped.
 *
 * @throws InvalidTaskFile when it is missing, no text in UTF-8 or empty, or with every bad line
 */
export async function readProblems(path: string): Promise<Problem[]> {
  const problems: Problem[] = [];
  const faults: TaskFileFault[] = [];
  for (const [index, line] of (await readText(path)).split('\n').entries()) {
    if (line.trim() === '') continue;
    const problem = parseLine(line);
    if (typeof problem === 'string') faults.push({ line: index + 1, message: problem });
    else problems.push(problem);
  }
  if (faults.length > 0) throw new InvalidTaskFile(path, faults);
  if (problems.length === 0) throw new InvalidTaskFile(path, [{ line: 0, message: 'it is empty' }]);
  return problems;
}

const nonEmpty = z.string('expected a text').refine((text) => text.trim() !== '', 'is empty');
const rowSchema = z.object(
  {
    question: nonEmpty,
    answer: z.union([nonEmpty, z.number().transform(String)], 'expected a text or a number'),
  },
  'expected an object',
);

/** The row, or what is wrong with it. */
function parseLine(line: string): Problem | string {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch (error) {
    return `no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  const row = rowSchema.safeParse(content);
  if (row.success) return { text: row.data.question, answer: row.data.answer };
  return row.error.issues
    .map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '))
    .join('; ');
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    // A device or a pipe has no end that could be waited for.
    if ((await stat(path)).isFile()) bytes = await readFile(path);
    else throw new Error('it is no ordinary file');
  } catch (error) {
    const message = `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new InvalidTaskFile(path, [{ line: 0, message }]);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidTaskFile(path, [{ line: 0, message: 'it is not text in UTF-8' }]);
  }
}
