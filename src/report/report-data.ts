import { join } from 'node:path';
import { z } from 'zod';
import { readDocument } from '../store/documents.ts';
import { type ExperimentResult, experimentResultSchema } from '../store/experiment-result.ts';
import { evaluationRowSchema } from '../store/outcome-row.ts';
import { readRows } from '../store/rows.ts';
import { type DebateToRead, pickDebates } from './pick-debates.ts';
import { readDebates } from './read-debates.ts';

/** All that the report shows. */
export type ReportData = {
  readonly result: ExperimentResult;
  /** The resolved config, as config.json has it; null when it is gone. */
  readonly config: unknown;
  readonly debates: readonly DebateToRead[];
};

/**
 * Reads what an experiment's folder says about it.
 *
 * @throws NothingToReport when the experiment has not finished; ArtifactDamaged or ArtifactMissing when a file is
 */
export async function loadReportData(folder: string): Promise<ReportData> {
  const result = await readResult(folder);
  const last = result.evaluations.at(-1)?.iteration ?? 0;
  const outcomes = await readRows(join(folder, result.files.evaluation), evaluationRowSchema);
  return {
    result,
    config: await readDocument(join(folder, result.files.config), z.unknown()),
    debates: await pickDebates(
      outcomes.filter(({ iteration }) => iteration === last),
      outcomes.filter(({ iteration }) => iteration === 0),
      readDebates(join(folder, `iteration-${last}`, 'evaluation')),
    ),
  };
}

/** The experiment has not finished: there is no result.json. */
export class NothingToReport extends Error {
  override name = 'NothingToReport' as const;
  readonly folder: string;

  constructor(folder: string) {
    super(`There is no result.json in ${folder}: the experiment has not finished, or has another name.`);
    this.folder = folder;
  }
}

/**
 * The result.json of an experiment's folder.
 *
 * @throws NothingToReport, ArtifactDamaged
 */
export async function readResult(folder: string): Promise<ExperimentResult> {
  const result = await readDocument(join(folder, 'result.json'), experimentResultSchema);
  if (result === null) throw new NothingToReport(folder);
  return result;
}
