import { resolveStudy } from '../config/resolve-study.ts';
import { findFinished } from '../store/find-finished.ts';
import { studyFiles } from '../store/study-files.ts';
import type { StudyResult } from '../store/study-result.ts';
import { writeStudyReport } from '../report/study/write-study-report.ts';
import type { Dependencies } from './dependencies.ts';

type WriteRequest = {
  readonly study: string;
  readonly input: unknown;
  readonly failed: StudyResult['failed'];
};

/** Writes the tables and the report of a study from the experiments that this store has finished. */
export async function writeStudy(
  { study, input, failed }: WriteRequest,
  { store }: Dependencies,
): Promise<StudyResult> {
  const { cells } = resolveStudy(study, input);
  const finished = [];
  for (const cell of cells) {
    const result = await findFinished(store, cell.name, cell.config);
    if (result !== null) finished.push({ ...cell, result });
  }
  const files = await writeStudyReport(store, study, finished, failed);
  return {
    name: study,
    experiments: cells.length,
    finished: finished.length,
    failed,
    files: files.map((file) => file.slice(studyFiles(store, study).folder.length + 1)),
  };
}
