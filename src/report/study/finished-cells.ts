import { experimentConfigSchema } from '../../config/experiment.ts';
import { readDocument } from '../../store/files/documents.ts';
import { experimentResultSchema, studyDocumentSchema } from '../../store/records/result.ts';
import { experimentFiles, type Store, studyFiles } from '../../store/store.ts';
import type { FinishedCell } from './finished-cell.ts';
import { StudyNotFound } from './study-not-found.ts';

/**
 * The finished experiments of a study, from what the store has.
 *
 * @throws StudyNotFound, ArtifactDamaged
 */
export async function finishedCells(store: Store, study: string): Promise<FinishedCell[]> {
  const files = studyFiles(store, study);
  const document = await readDocument(files.study, studyDocumentSchema);
  if (document === null) throw new StudyNotFound(files.study);
  const cells: FinishedCell[] = [];
  for (const cell of document.cells) {
    const own = experimentFiles(store, cell.name);
    const config = await readDocument(own.config, experimentConfigSchema);
    const result = await readDocument(own.result, experimentResultSchema);
    if (config !== null && result !== null) cells.push({ ...cell, config, result });
  }
  return cells;
}
