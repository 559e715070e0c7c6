import { join } from 'node:path';
import { z } from 'zod';
import { type Mark, markOf, type Outcome } from '../algorithm/evaluation.ts';
import { type PairedTest, pairedTest } from '../algorithm/measures/tests.ts';
import { readDocument } from '../store/files/documents.ts';
import { streamRows } from '../store/files/rows.ts';
import { type ExperimentResult, experimentResultSchema } from '../store/records/result.ts';
import { evaluationRowSchema, type LeftOutDocument, leftOutDocumentSchema } from '../store/records/rows.ts';
import { pickDebates, type PickedDebate } from './pick-debates.ts';
import { readDebates } from './read-debates.ts';

/** All that the report shows. */
export type ReportData = {
  readonly result: ExperimentResult;
  /** The resolved config, as config.json has it; null when it is gone. */
  readonly config: unknown;
  readonly debates: readonly DebateToRead[];
  /** The debate against the vote over its first answers, on the same questions, by iteration: of the base model and of the last one. */
  readonly debateVersusMajority: ReadonlyMap<number, PairedTest>;
  readonly leftOut: LeftOutDocument['leftOut'];
};

/** A debate of the last evaluation, with what came of it and what the base model's debate had come to. */
export type DebateToRead = PickedDebate & { readonly outcome: Outcome; readonly base: Outcome | undefined };

/**
 * Reads what an experiment's folder says about it.
 *
 * @throws NothingToReport when the experiment has not finished; ArtifactDamaged or ArtifactMissing when a file is
 */
export async function loadReportData(folder: string): Promise<ReportData> {
  const result = await readResult(folder);
  const last = result.evaluations.at(-1)?.iteration ?? 0;
  const evaluationRows = () => streamRows(join(folder, result.files.evaluation), evaluationRowSchema);
  const marks = new Map<string, Mark>();
  const baseMarks: Mark[] = [];
  for await (const row of evaluationRows()) {
    if (row.iteration === last) marks.set(row.questionId, markOf(row));
    if (row.iteration === 0) baseMarks.push(markOf(row));
  }
  const picked = await pickDebates(marks, readDebates(join(folder, `iteration-${last}`, 'evaluation')));
  return {
    result,
    config: await readDocument(join(folder, result.files.config), z.unknown()),
    debateVersusMajority: new Map([
      [0, debateVersusMajority(baseMarks)],
      [last, debateVersusMajority([...marks.values()])],
    ]),
    debates: await withOutcomes(picked, evaluationRows(), last),
    // An experiment of an earlier version did not write it.
    leftOut:
      (await readDocument(join(folder, 'questions', 'left-out.json'), leftOutDocumentSchema))?.leftOut ?? [],
  };
}

function debateVersusMajority(marks: readonly Mark[]): PairedTest {
  return pairedTest(
    marks.map(({ debate }) => debate),
    marks.map(({ majority }) => majority),
  );
}

/** Only the outcomes of these few are held: the texts of all questions would not fit into every memory. */
async function withOutcomes(
  picked: readonly PickedDebate[],
  rows: AsyncIterable<Outcome & { readonly iteration: number }>,
  last: number,
): Promise<DebateToRead[]> {
  const ids = new Set(picked.map(({ debate }) => debate.question.id));
  const own = new Map<string, Outcome>();
  const base = new Map<string, Outcome>();
  for await (const row of rows) {
    if (!ids.has(row.questionId)) continue;
    if (row.iteration === last) own.set(row.questionId, row);
    if (row.iteration === 0) base.set(row.questionId, row);
  }
  return picked.flatMap((each) => {
    const outcome = own.get(each.debate.question.id);
    return outcome === undefined ? [] : [{ ...each, outcome, base: base.get(outcome.questionId) }];
  });
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
