import { experimentConfigSchema } from '../../config/experiment-config.ts';
import { readDocument } from '../../store/documents.ts';
import { experimentFiles } from '../../store/experiment-files.ts';
import { experimentResultSchema } from '../../store/experiment-result.ts';
import type { Store } from '../../store/open-store.ts';
import { studyFiles } from '../../store/study-files.ts';
import { studyDocumentSchema } from '../../store/study-result.ts';
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
