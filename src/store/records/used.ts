/** What has an experiment used of its budget, as far as its store knows? */
import { z } from 'zod';
import { further, nothingUsed, together, type UsedSoFar } from '../../algorithm/budget.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { writeBytes } from '../blobs.ts';
import { findDocument } from '../files/documents.ts';
import { begunIterations, experimentFiles, type ExperimentFiles, type Store } from '../store.ts';
import { findFinished } from './result.ts';
import { evaluationRecordSchema, iterationRecordSchema } from './rows.ts';

/** NAME/used.json: written at the end of each step that costs something, so that a chain of runs goes on from what those before it used. */
export const usedSchema = z.strictObject({
  formatVersion: z.literal(1),
  tokens: z.number().int(),
  device_seconds: z.number(),
  wall_seconds: z.number(),
});

/**
 * What the experiment has used so far: by its used.json, or by the records of its finished work where it had no budget until now.
 *
 * @throws StoreNotWritable, OtherVersion
 */
export async function usedBefore(files: ExperimentFiles): Promise<UsedSoFar> {
  const found = await findDocument(files.used, usedSchema);
  const recorded = await usedByRecords(files);
  if (found === null) return recorded;
  const { formatVersion: _, ...used } = found;
  return further(used, recorded);
}

/**
 * What several experiments have used together.
 *
 * @param finished of those that are over, by name: what they have used is not read again
 */
export async function usedTogether(
  cells: readonly { readonly name: string; readonly config: ExperimentConfig }[],
  store: Store,
  finished = new Map<string, UsedSoFar>(),
): Promise<UsedSoFar> {
  const all: UsedSoFar[] = [];
  for (const { name, config } of cells) {
    const known = finished.get(name);
    const files = experimentFiles(store, name);
    const over = known !== undefined || (await findFinished(store, name, config)) !== null;
    const used = known ?? (await usedBefore(files));
    if (over) finished.set(name, used);
    all.push(used);
  }
  return together(all);
}

/**
 * Adds to what an experiment has used. Steps end at the same moment, and each knows only what it was told when it began: the greatest count
 * stays. Two that write at once may lose the greater one, which the next step that ends writes again.
 *
 * @throws DiskFull, StoreNotWritable, OtherVersion
 */
export async function noteUsed(files: ExperimentFiles, used: UsedSoFar): Promise<void> {
  const found = await findDocument(files.used, usedSchema);
  const { tokens, device_seconds, wall_seconds } = further(used, found ?? nothingUsed);
  const known =
    found !== null &&
    found.tokens === tokens &&
    device_seconds - found.device_seconds < worthWriting &&
    wall_seconds - found.wall_seconds < worthWriting;
  if (known) return;
  // Without a seal: a step that writes it would find the seal of another one beside its bytes, and take that for damage.
  const text = JSON.stringify({ formatVersion: 1, tokens, device_seconds, wall_seconds });
  await writeBytes(files.used, `${text}\n`);
}

/** Seconds: shards may end many times a second. */
const worthWriting = 1;

/** The tokens and seconds of finished iterations and evaluations. */
async function usedByRecords(files: ExperimentFiles): Promise<UsedSoFar> {
  let used = nothingUsed;
  for (const iteration of await begunIterations(files)) {
    const evaluated = await findDocument(files.evaluation(iteration), evaluationRecordSchema);
    const made = iteration === 0 ? null : await findDocument(files.record(iteration), iterationRecordSchema);
    const { prompt = 0, completion = 0 } = evaluated?.tokens ?? {};
    const debated = made?.tokens.debate ?? { prompt: 0, completion: 0 };
    const onDevice =
      (evaluated?.seconds ?? 0) + (made === null ? 0 : made.seconds.debate + made.seconds.fineTune);
    used = {
      tokens:
        used.tokens +
        prompt +
        completion +
        debated.prompt +
        debated.completion +
        (made?.tokens.fineTune ?? 0),
      device_seconds: used.device_seconds + onDevice,
      wall_seconds: used.wall_seconds + onDevice + (made?.seconds.datasets ?? 0),
    };
  }
  return used;
}
