/** Which settings of an experiment were changed while it ran, and which are in force? */
import { z } from 'zod';
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { mergeConfig } from '../../config/load.ts';
import { type Difference, experimentDifference } from '../../config/resolve.ts';
import { ArtifactDamaged } from '../errors.ts';
import { readDocument, requireDocument } from '../files/documents.ts';
import type { ExperimentFiles } from '../store.ts';

export const configChangeSchema = z.strictObject({
  /** ISO 8601 */
  at: z.string(),
  /** The first iteration for which it holds. */
  fromIteration: z.number().int(),
  /** Made while the group of this earlier iteration was distilled into one model, which learns by it, too. */
  ofDistilled: z.number().int().exactOptional(),
  /** Of the setting, e.g. `fine_tune.learning_rate`. */
  path: z.string(),
  /** Undefined in a config that did not have the setting. */
  before: z.unknown().optional(),
  after: z.unknown(),
});
export type ConfigChange = z.infer<typeof configChangeSchema>;

/** NAME/config-changes.json. Beside it, config.json stays as the experiment was begun. */
export const configChangesSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** In the order in which they were made. */
  changes: z.array(configChangeSchema),
});

/** The changes so far; none when the document is missing. @throws ArtifactDamaged */
export async function changesOf(files: ExperimentFiles): Promise<readonly ConfigChange[]> {
  return (await readDocument(files.configChanges, configChangesSchema))?.changes ?? [];
}

/** A config with changes, each of which was checked when it was made. */
export function withChanges(config: ExperimentConfig, changes: readonly ConfigChange[]): ExperimentConfig {
  const changed = changes.reduce(
    (settings: Readonly<Record<string, unknown>>, { path, after }) =>
      mergeConfig(settings, nested(path, after)),
    config,
  );
  return storedConfigSchema.parse(changed);
}

/** A setting as an object that `mergeConfig` lays over a config. */
export function nested(path: string, value: unknown): Readonly<Record<string, unknown>> {
  const [last = '', ...above] = path.split('.').toReversed();
  return above.reduce((below: Record<string, unknown>, key) => ({ [key]: below }), { [last]: value });
}

/**
 * The config of an experiment that was prepared, with the changes that hold for an iteration.
 *
 * @param iteration without it, all changes hold
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function configInForce(files: ExperimentFiles, iteration?: number): Promise<ExperimentConfig> {
  const [newest] = await configsInForce(files, iteration);
  return newest;
}

/**
 * The configs that were in force one after another within an iteration, the newest first: steps that were done before a change
 * were done with the one before it.
 *
 * @param distilled for the one model that the iteration's group is distilled into
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function configsInForce(
  files: ExperimentFiles,
  iteration = Infinity,
  distilled = false,
): Promise<[ExperimentConfig, ...ExperimentConfig[]]> {
  const begun = await requireDocument(files.config, storedConfigSchema);
  const changes = await changesOf(files);
  const before = changes.filter(({ fromIteration }) => fromIteration < iteration);
  const within = changes.filter(
    ({ fromIteration, ofDistilled }) =>
      fromIteration === iteration || (distilled && ofDistilled === iteration),
  );
  const first = withChanges(begun, before);
  const later = within.map((_, index) => withChanges(first, within.slice(0, index + 1)));
  const [newest = first, ...others] = [first, ...later].toReversed();
  return [newest, ...others];
}

/**
 * In which settings a config differs from the one that an experiment was begun with, or from the one that is in force now: from the
 * one that it is more like. None when nothing was begun. A damaged config counts as missing: the experiment's next run sets it aside
 * and writes it again.
 */
export async function differenceFromBegun(
  files: ExperimentFiles,
  config: ExperimentConfig,
): Promise<readonly Difference[]> {
  const begun = await unlessDamaged(readDocument(files.config, z.unknown()));
  if (begun === null) return [];
  const asBegun = experimentDifference(begun, config);
  const known = storedConfigSchema.safeParse(begun);
  const changes = await unlessDamaged(changesOf(files));
  if (!known.success || changes === null) return asBegun;
  const asNow = experimentDifference(withChanges(known.data, changes), config);
  return asNow.length < asBegun.length ? asNow : asBegun;
}

async function unlessDamaged<Value>(reading: Promise<Value>): Promise<Value | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ArtifactDamaged) return null;
    throw error;
  }
}
