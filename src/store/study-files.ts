import { join } from 'node:path';
import type { Store } from './open-store.ts';

/** Where a study keeps what, as absolute paths. Its experiments are in folders of their own, as any others. */
export function studyFiles(store: Store, study: string) {
  const folder = store.study(study);
  return {
    folder,
    /** Which experiments it has. */
    study: join(folder, 'study.json'),
    /** Every figure of the report. Beside it each of its tables as NAME.csv, NAME.json, NAME.md and NAME.tex. */
    results: join(folder, 'results.json'),
    report: join(folder, 'report.html'),
  };
}
export type StudyFiles = ReturnType<typeof studyFiles>;
