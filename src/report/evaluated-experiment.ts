import { join } from 'node:path';
import { z } from 'zod';
import { type Mark, markOf } from '../algorithm/evaluation.ts';
import { readDocument } from '../store/files/documents.ts';
import { evaluationRowSchema } from '../store/records/rows.ts';
import { streamRows } from '../store/files/rows.ts';
import { questionKey } from '../questions/problem.ts';
import { readResult } from './report-data.ts';

/** What a finished experiment's held-out questions came to, without their texts: these may be many. */
export type EvaluatedExperiment = {
  readonly experiment: string;
  readonly folder: string;
  /** As config.json has it; null when it is gone. */
  readonly config: unknown;
  /** By iteration, 0 the base model; then by the question's key (see questionKey), in the questions' order. */
  readonly marks: ReadonlyMap<number, ReadonlyMap<string, Mark>>;
  /** Its held-out questions by key. */
  readonly questions: ReadonlyMap<string, { readonly id: string; readonly gold: string }>;
};

/** @throws NothingToReport when the experiment has not finished; ArtifactDamaged or ArtifactMissing when a file is */
export async function readEvaluatedExperiment(folder: string): Promise<EvaluatedExperiment> {
  const { name, files } = await readResult(folder);
  const marks = new Map<number, Map<string, Mark>>();
  const questions = new Map<string, { id: string; gold: string }>();
  for await (const row of streamRows(join(folder, files.evaluation), evaluationRowSchema)) {
    const key = questionKey(row.question);
    const ofIteration = marks.get(row.iteration) ?? new Map<string, Mark>();
    marks.set(row.iteration, ofIteration.set(key, markOf(row)));
    questions.set(key, { id: row.questionId, gold: row.gold });
  }
  const config = await readDocument(join(folder, files.config), z.unknown());
  return { experiment: name, folder, config, marks, questions };
}
