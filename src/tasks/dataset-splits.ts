import type { DatasetTask } from '../config/task-config.ts';
import { apartFrom, byText } from './by-text.ts';
import { heldOutPart, nameOf, trainingPart } from './dataset-part.ts';
import { decontaminated } from './decontaminated.ts';
import { leftOut } from './left-out.ts';
import type { Problem } from './problem.ts';
import { readPart } from './read-part.ts';
import { repeats } from './repeats.ts';
import type { Splits } from './splits.ts';

/**
 * The questions of a task from a dataset of the hub. What is held out depends on its own split alone; training questions that
 * are anywhere in that split are left out, also where another seed would hold out others.
 *
 * @param kept the held-out questions of a series; null in its first night and without a series
 * @throws as `readPart` and `decontaminated` do
 */
export async function datasetSplits(
  task: DatasetTask,
  kept: readonly Problem[] | null,
  signal?: AbortSignal,
): Promise<Splits> {
  const skip = task.skip_unreadable ?? false;
  const parts = { training: trainingPart(task), heldOut: heldOutPart(task) };
  const from = { training: nameOf(parts.training), heldOut: nameOf(parts.heldOut) };
  const train = await readPart(parts.training, skip, signal);
  const test = await readPart(parts.heldOut, skip, signal);
  const measuring = byText([...test.problems, ...(kept ?? [])]);
  const { apart, shared } = apartFrom(measuring, byText(train.problems));
  const { training, removed } = await decontaminated(apart, task.decontaminate, signal);
  return {
    training,
    heldOut: byText(kept ?? test.problems),
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
