/** Tasks from datasets of the Hugging Face hub, and the training questions that other sets have too. */
import { resolve } from 'node:path';
import { z } from 'zod';
import type { AnswerRules } from '../algorithm/answer.ts';
import { hubDatasets } from '../config/names.ts';
import type { DatasetTask, OtherSet } from '../config/tasks.ts';
import { heldOutPart, nameOf, readPart, trainingPart } from './hub.ts';
import {
  apartFrom,
  byText,
  type ByText,
  type LeftOut,
  type Problem,
  type Splits,
  type Task,
} from './task.ts';
import { requireDataFolder } from './row-files.ts';
import { filledText, readProblems, type ReadProblems, rowOf, type RowShape } from './rows.ts';
import { drawn, leftOut, poolOf, repeats, requireEnough } from './select.ts';

/** The task of a dataset of the hub. */
export function hubTask(config: DatasetTask, answers: AnswerRules): Task {
  return {
    pool: async (seed, kept, signal) => poolOf(config, await datasetSplits(config, kept, signal), seed, kept),
    // Only the split that measures is loaded.
    heldOut: async (seed, signal) => {
      const part = heldOutPart(config);
      const questions = byText((await readPart(part, config.skip_unreadable ?? false, signal)).problems);
      requireEnough('task.test_size', config.test_size, questions, nameOf(part));
      return drawn(questions, config.test_size, { seed, purpose: `${config.kind}-heldout` });
    },
    answers,
  };
}

/**
 * The questions of a task from a dataset of the hub. What is held out depends on its own split alone; training questions that
 * are anywhere in that split are left out, also where another seed would hold out others.
 *
 * @param kept the held-out questions of a series; null in its first night and without a series
 * @throws as `readPart` and `decontaminated` do
 */
async function datasetSplits(
  task: DatasetTask,
  kept: readonly Problem[] | null,
  signal?: AbortSignal,
): Promise<Splits> {
  const skip = task.skip_unreadable ?? false;
  const parts = { training: trainingPart(task), heldOut: heldOutPart(task) };
  const heldOut = nameOf(parts.heldOut);
  const from = { training: nameOf(parts.training), heldOut, validation: heldOut };
  const train = await readPart(parts.training, skip, signal);
  const test = await readPart(parts.heldOut, skip, signal);
  const measuring = byText([...test.problems, ...(kept ?? [])]);
  const { apart, shared } = apartFrom(measuring, byText(train.problems));
  const { training, removed } = await decontaminated(apart, task.decontaminate, signal);
  return {
    training,
    heldOut: byText(kept ?? test.problems),
    validation: byText(test.problems),
    leftOut: [
      ...leftOut(`questions of ${from.training} whose gold answer the grader cannot read`, train.unreadable),
      ...leftOut(`questions of ${from.heldOut} whose gold answer the grader cannot read`, test.unreadable),
      ...repeats(from.training, train.problems),
      ...repeats(from.heldOut, test.problems),
      ...leftOut(`training questions that ${from.heldOut} has too`, shared),
      ...removed,
    ],
    from,
  };
}

/**
 * The training questions that none of the other sets has, by normalised text, and notes on the others. Nothing is held out
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
    await requireDataFolder(path);
    return { name: path, problems: all(await readProblems(path, anyQuestion, true)) };
  }
  const { kind, revision = hubDatasets[kind].revision, dataset_path } = other;
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
