import { isUnreadable } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Warning } from '../../store/records/result.ts';
import { evaluationRecordSchema, iterationRecordSchema } from '../../store/records/rows.ts';
import { begunIterations, type ExperimentFiles } from '../../store/store.ts';
import { warningsOf } from '../findings/warnings.ts';

/**
 * The warnings about an experiment as far as it has come. A damaged record counts as missing: the step that needs it makes it again.
 *
 * @param upTo the last iteration that counts; 0 is the base model
 * @throws ArtifactMissing, ArtifactDamaged when its config is not whole
 */
export async function readWarnings(files: ExperimentFiles, upTo = Infinity): Promise<Warning[]> {
  // A remedy names the value of today, not the one that the experiment was begun with.
  const config = await configInForce(files, upTo);
  const begun = (await begunIterations(files)).filter((iteration) => iteration <= upTo);
  const records = await Promise.all(
    begun.map((each) => orNull(readDocument(files.record(each), iterationRecordSchema))),
  );
  const evaluated = await Promise.all(
    begun.map((each) => orNull(readDocument(files.evaluation(each), evaluationRecordSchema))),
  );
  const evaluations = evaluated.filter((each) => each !== null);
  return warningsOf({
    config,
    heldOut: evaluations[0]?.evaluation.questions ?? 0,
    iterations: records.filter((each) => each !== null),
    evaluations: evaluations.map(({ evaluation, unreadable }) => ({
      iteration: evaluation.iteration,
      cutOff: evaluation.cutOff,
      unreadable,
    })),
  });
}

async function orNull<Value>(read: Promise<Value | null>): Promise<Value | null> {
  try {
    return await read;
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}
