import { ArtifactDamaged, ArtifactMissing } from '../../store/errors.ts';
import { findDocument } from '../../store/files/documents.ts';
import { studyDocumentSchema } from '../../store/records/result.ts';
import { type Store, studyFiles } from '../../store/store.ts';
import { analyseStudy, type StudyAnalysis } from './analyse-study.ts';
import type { FinishedCell, MissingCell } from './finished-cell.ts';
import { measureCell, type MeasuredCell } from './measure-cell.ts';

/**
 * Reads the outcomes of a study's finished experiments and analyses them. What study.json names and is not finished is missing, and so is
 * what cannot be read.
 */
export async function loadStudy(
  store: Store,
  study: string,
  finished: readonly FinishedCell[],
  failed: readonly { readonly name: string; readonly reason: string }[],
): Promise<StudyAnalysis> {
  const cells: MeasuredCell[] = [];
  const missing: MissingCell[] = [];
  for (const cell of finished) {
    try {
      cells.push(await measureCell(store, cell));
    } catch (error) {
      if (!(error instanceof ArtifactDamaged || error instanceof ArtifactMissing)) throw error;
      const { name, experiment, method, seed } = cell;
      missing.push({ name, experiment, method, seed, reason: error.message });
    }
  }
  const planned = await findDocument(studyFiles(store, study).study, studyDocumentSchema);
  const found = new Set(finished.map(({ name }) => name));
  for (const cell of planned?.cells ?? []) {
    if (found.has(cell.name)) continue;
    const reason = failed.find(({ name }) => name === cell.name)?.reason ?? 'not finished';
    missing.push({ ...cell, reason });
  }
  return analyseStudy(study, cells, missing);
}
