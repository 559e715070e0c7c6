import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnswerEquality } from '../algorithm/consensus.ts';
import { colloquyVersion } from '../config/installation.ts';
import { linesOf } from '../store/files/rows.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { datasetCard, type WrittenFile } from './dataset-card.ts';
import { type DatasetFormat, datasetFiles } from './dataset-files.ts';
import type { FinishedIteration } from './finished-iteration.ts';
import { NothingTrained } from './nothing-trained.ts';
import { publishExport } from './publish-export.ts';

/**
 * Writes the datasets of an iteration into a folder that `datasets.load_dataset` opens: a file of JSON lines for each agent and
 * role, and a dataset card. A file without rows is left out.
 *
 * @param path of the folder, absolute
 * @param equal when two answers are equal, as the experiment's grader has it
 * @returns the files, those without rows too
 * @throws ExportFolderTaken, OutputNotWritable, DiskFull, NothingTrained when no file has rows, ArtifactMissing, ArtifactDamaged
 */
export async function exportDatasets(
  format: DatasetFormat,
  done: FinishedIteration,
  path: string,
  equal: AnswerEquality,
): Promise<WrittenFile[]> {
  const { experiment, iteration } = done;
  const written: WrittenFile[] = [];
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format };
  await publishExport(path, facts, async (folder) => {
    for (const { name, rows } of datasetFiles(format, done, equal)) {
      const file = `${name}.jsonl`;
      const count = await writeLines(join(folder, file), rows());
      // Readers of tables refuse an empty file: it has no fields.
      if (count === 0) await rm(join(folder, file));
      written.push({ file, rows: count });
    }
    if (written.every(({ rows }) => rows === 0))
      throw new NothingTrained(
        experiment,
        `no dataset of iteration ${iteration} has rows in the form ${format}`,
      );
    await writeAtomically(join(folder, 'README.md'), [Buffer.from(datasetCard(format, done, written))]);
  });
  return written;
}

/** How many there were. */
async function writeLines(path: string, rows: AsyncIterable<object>): Promise<number> {
  let count = 0;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of linesOf(rows)) {
      count += chunk.rows;
      yield chunk.bytes;
    }
  };
  await writeAtomically(path, bytes());
  return count;
}
