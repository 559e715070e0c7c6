import { datasetFiles } from './dataset-files.ts';
import type { DatasetPart } from './dataset-part.ts';
import type { Problem } from './problem.ts';
import { readProblems, type ReadProblems } from './read-problems.ts';

/**
 * The questions of a part of a dataset, from all its files.
 *
 * @throws as `datasetFiles` and `readProblems` do
 */
export async function readPart(
  part: DatasetPart,
  skipUnreadable: boolean,
  signal?: AbortSignal,
): Promise<ReadProblems> {
  const problems: Problem[] = [];
  const unreadable: Problem[] = [];
  for (const path of await datasetFiles(part, signal)) {
    const read = await readProblems(path, part.shape, skipUnreadable);
    // Not by spreading them into push: a file may have more questions than a call takes arguments.
    for (const problem of read.problems) problems.push(problem);
    for (const problem of read.unreadable) unreadable.push(problem);
  }
  return { problems, unreadable };
}
