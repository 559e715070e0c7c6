import { resolve } from 'node:path';
import { z } from 'zod';
import { datasets } from '../config/datasets.ts';
import type { OtherSet } from '../config/task-config.ts';
import { apartFrom, type ByText, byText } from './by-text.ts';
import { heldOutPart, nameOf } from './dataset-part.ts';
import { leftOut } from './left-out.ts';
import type { LeftOut, Problem } from './problem.ts';
import { readPart } from './read-part.ts';
import { readProblems, type ReadProblems } from './read-problems.ts';
import { filledText, rowOf, type RowShape } from './row-shape.ts';

/**
 * The training questions that none of the other sets has, by normalised text, and what is told of the others. Nothing is held out
 * or kept by it: it only takes away what must not be trained on.
 *
 * @throws as `readPart` and `readProblems` do
 */
export async function decontaminated(
  training: ByText,
  others: readonly OtherSet[] = [],
  signal?: AbortSignal,
): Promise<{ readonly training: ByText; readonly removed: readonly LeftOut[] }> {
  let left = training;
  const removed: LeftOut[] = [];
  for (const other of others) {
    const { name, problems } = await questionsOf(other, signal);
    const { apart, shared } = apartFrom(byText(problems), left);
    left = apart;
    removed.push(...leftOut(`training questions that ${name} has too`, shared));
  }
  return { training: left, removed };
}

async function questionsOf(
  other: OtherSet,
  signal?: AbortSignal,
): Promise<{ readonly name: string; readonly problems: readonly Problem[] }> {
  if (typeof other === 'string') {
    const path = resolve(other);
    return { name: path, problems: all(await readProblems(path, anyQuestion, true)) };
  }
  const { kind, revision = datasets[kind].revision, dataset_path } = other;
  const part = {
    ...heldOutPart({ kind, revision, dataset_path }),
    setting: 'its dataset_path in task.decontaminate',
  };
  return { name: nameOf(part), problems: all(await readPart(part, true, signal)) };
}

/** Whether their gold answers can be read does not matter here. */
function all({ problems, unreadable }: ReadProblems): Problem[] {
  return [...problems, ...unreadable];
}

/** Rows with a question, under the name that most datasets or that MATH gives it. */
const anyQuestion: RowShape = {
  schema: z
    .union(
      [rowOf({ question: filledText }), rowOf({ problem: filledText })],
      'expected a question or a problem',
    )
    .transform((row) => ({ text: 'question' in row ? row.question : row.problem, answer: '' })),
  expected: 'an object {"question": "…"} or {"problem": "…"}',
};
