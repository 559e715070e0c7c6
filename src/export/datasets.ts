import { join } from 'node:path';
import type { AnswerRules } from '../algorithm/answer.ts';
import { colloquyVersion } from '../config/installation.ts';
import { linesOf } from '../store/files/rows.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { datasetCard, type WrittenFile } from './dataset-card.ts';
import { NothingTrained } from './errors.ts';
import type { FinishedIteration } from './finished-iteration.ts';
import { publishExport } from './folder.ts';
import { type DatasetFormat, datasetFiles } from './rows.ts';

/**
 * Writes the datasets of an iteration into a folder that `datasets.load_dataset` opens: a file of JSON lines for each agent and
 * role, and a dataset card. A file without rows is left out.
 *
 * @param path of the folder, absolute
 * @param answers what an answer to the experiment's task is
 * @returns the files, with those without rows
 * @throws ExportFolderTaken, OutputNotWritable, DiskFull, NothingTrained when no file has rows, ArtifactMissing, ArtifactDamaged
 */
export async function exportDatasets(
  format: DatasetFormat,
  done: FinishedIteration,
  path: string,
  answers: AnswerRules,
): Promise<WrittenFile[]> {
  const { experiment, iteration } = done;
  const written: WrittenFile[] = [];
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format };
  await publishExport(path, facts, async (folder) => {
    for (const { name, rows } of datasetFiles(format, done, answers)) {
      const file = `${name}.jsonl`;
      written.push({ file, rows: await writeLines(join(folder, file), rows()) });
    }
    if (written.every(({ rows }) => rows === 0))
      throw new NothingTrained(
        experiment,
        `no dataset of iteration ${iteration} has rows in the form ${format}`,
      );
    await writeAtomically(join(folder, 'README.md'), [Buffer.from(datasetCard(format, done, written, path))]);
  });
  return written;
}

/** Writes no file for no rows: readers of tables refuse an empty one, which has no fields. Returns how many rows there were. */
async function writeLines(path: string, rows: AsyncIterable<object>): Promise<number> {
  const chunks = linesOf(rows);
  const first = await chunks.next();
  if (first.done === true) return 0;
  let count = first.value.rows;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield first.value.bytes;
    for await (const chunk of chunks) {
      count += chunk.rows;
      yield chunk.bytes;
    }
  };
  await writeAtomically(path, bytes());
  return count;
}
