import { readWarnings } from '../../report/read/experiment.ts';
import { writeReport } from '../../report/write.ts';
import { findDocument, readDocument, requireDocument, writeDocument } from '../../store/files/documents.ts';
import { streamRows, writeRows } from '../../store/files/rows.ts';
import { changesOf } from '../../store/records/config-changes.ts';
import type { ExperimentResult, Warning } from '../../store/records/result.ts';
import {
  evaluationRecordSchema,
  type IterationRecord,
  iterationRecordSchema,
  outcomeSchema,
} from '../../store/records/rows.ts';
import { experimentFiles, type ExperimentFiles } from '../../store/store.ts';
import { configOf, type Dependencies, versions } from '../activity.ts';

type RecordRequest = { readonly experiment: string } & IterationRecord;

/**
 * Writes what an iteration did to iteration-I/record.json. The first record stays: an experiment that is started again finds its
 * steps done, and the seconds that this takes are not those that the iteration took.
 *
 * @returns the warnings about the experiment as far as it has come
 */
export async function recordIteration(
  { experiment, ...record }: RecordRequest,
  { store }: Dependencies,
): Promise<readonly Warning[]> {
  const files = experimentFiles(store, experiment);
  const path = files.record(record.iteration);
  if ((await findDocument(path, iterationRecordSchema)) === null) await writeDocument(path, record);
  return readWarnings(files, record.iteration);
}

type ResultRequest = {
  readonly experiment: string;
  /** L: how many iterations were done. */
  readonly iterations: number;
};

/** Writes result.json, evaluation.jsonl and report.html from what the iterations left in the store. A night's report is `closeNight`'s. */
export async function writeResult(
  { experiment, iterations }: ResultRequest,
  { store }: Dependencies,
): Promise<ExperimentResult> {
  const files = experimentFiles(store, experiment);
  const evaluated = Array.from({ length: iterations + 1 }, (_, iteration) => iteration);
  const evaluations = await Promise.all(
    evaluated.map((each) => requireDocument(files.evaluation(each), evaluationRecordSchema)),
  );
  const records = await Promise.all(
    evaluated.slice(1).map((each) => requireDocument(files.record(each), iterationRecordSchema)),
  );
  const config = await configOf(files);
  const changes = await changesOf(files);
  await writeRows(files.allOutcomes, allOutcomes(evaluated, files));
  const seconds = {
    evaluation: sum(evaluations, (each) => each.seconds),
    debate: sum(records, (each) => each.seconds.debate),
    datasets: sum(records, (each) => each.seconds.datasets),
    fineTune: sum(records, (each) => each.seconds.fineTune),
  };
  const result: ExperimentResult = {
    formatVersion: 1,
    name: experiment,
    evaluations: evaluations.map(({ evaluation }) => evaluation),
    equalTokens: await equalTokens(evaluated, files),
    transfer: await transfer(Object.keys(config.transfer), iterations, files),
    iterations: records.map(({ tokens: _tokens, seconds: _seconds, ...record }) => record),
    tokens: {
      debate: {
        prompt: sum(records, ({ tokens }) => tokens.debate.prompt),
        completion: sum(records, ({ tokens }) => tokens.debate.completion),
      },
      evaluation: {
        prompt: sum(evaluations, ({ tokens }) => tokens.prompt),
        completion: sum(evaluations, ({ tokens }) => tokens.completion),
      },
      fineTune: sum(records, ({ tokens }) => tokens.fineTune),
    },
    seconds: { ...seconds, total: seconds.evaluation + seconds.debate + seconds.datasets + seconds.fineTune },
    warnings: await readWarnings(files, iterations),
    ...(changes.length === 0 ? {} : { changes: [...changes] }),
    versions: await versions(store, records),
    files: { config: 'config.json', evaluation: 'evaluation.jsonl', report: 'report.html' },
  };
  await writeDocument(files.result, result);
  if ((await configOf(files)).carry_over === undefined) await writeReport(files);
  await store.blobs.tidy(files.folder.name);
  return result;
}

async function equalTokens(
  iterations: readonly number[],
  files: ExperimentFiles,
): Promise<ExperimentResult['equalTokens']> {
  const measured = [];
  for (const iteration of iterations) {
    const record = await readDocument(files.evaluation(iteration, 'vote'), evaluationRecordSchema);
    if (record === null) continue;
    const { evaluation, votes = 0, tokens } = record;
    measured.push({ iteration, votes, majority: evaluation.majority, tokens });
  }
  return measured;
}

async function transfer(
  tasks: readonly string[],
  last: number,
  files: ExperimentFiles,
): Promise<ExperimentResult['transfer']> {
  const measured = [];
  for (const task of tasks) {
    for (const iteration of last === 0 ? [0] : [0, last]) {
      const record = files.evaluation(iteration, `transfer-${task}`);
      const { evaluation } = await requireDocument(record, evaluationRecordSchema);
      measured.push({ ...evaluation, task });
    }
  }
  return measured;
}

async function* allOutcomes(iterations: readonly number[], files: ExperimentFiles): AsyncGenerator<object> {
  for (const iteration of iterations) {
    for await (const outcome of streamRows(files.outcomes(iteration), outcomeSchema))
      yield { iteration, ...outcome };
  }
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
