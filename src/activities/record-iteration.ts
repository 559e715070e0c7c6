import { findDocument, writeDocument } from '../store/documents.ts';
import { experimentFiles } from '../store/experiment-files.ts';
import { type IterationRecord, iterationRecordSchema } from '../store/iteration-record.ts';
import type { Dependencies } from './dependencies.ts';

type RecordRequest = { readonly experiment: string } & IterationRecord;

/**
 * Writes what an iteration did to iteration-I/record.json. The first record stays: an experiment that is started again finds its
 * steps done, and the seconds that this takes are not those that the iteration took.
 */
export async function recordIteration(
  { experiment, ...record }: RecordRequest,
  { store }: Dependencies,
): Promise<void> {
  const path = experimentFiles(store, experiment).record(record.iteration);
  if ((await findDocument(path, iterationRecordSchema)) === null) await writeDocument(path, record);
}
