/** Does an experiment go on with the config, the base models and the questions with which it began, and which settings may be changed meanwhile? */
import { type ExperimentConfig, storedConfigSchema } from '../../config/experiment.ts';
import { type KnownBaseModel, requireSameBaseModel } from '../../engines/endpoint/base-model.ts';
import { questionFileHashes } from '../../questions/row-files.ts';
import { type BegunWith, begunWithSchema, recordedModel } from '../../store/base-model-files.ts';
import { isThere, type Place } from '../../store/blobs.ts';
import { QuestionsLost } from '../../store/errors.ts';
import { findKeptTwice, type KeptTwice, writeDocument, writeTwice } from '../../store/files/documents.ts';
import { findRows } from '../../store/files/rows.ts';
import { begunIterations, type ExperimentFiles, experimentFiles } from '../../store/store.ts';
import { changeableNow, changeHoldsFrom, type Moment } from '../../algorithm/steering.ts';
import { type ConfigFault, InvalidConfig } from '../../config/faults.ts';
import { type ConfigInput, mergeConfig } from '../../config/load.ts';
import { configDifference, type Difference, resolveConfig } from '../../config/resolve.ts';
import { type ConfigChange, changesOf, configInForce, nested } from '../../store/records/config-changes.ts';
import type { Dependencies } from '../activity.ts';

/** How an experiment began. */
export type Beginning = {
  readonly config: ExperimentConfig;
  /** Null when an earlier version began it. */
  readonly with: BegunWith | null;
  /** The user's own question files that have changed since. */
  readonly changedQuestionFiles: readonly string[];
};

/**
 * The beginning of an experiment that was prepared before; null for a new one.
 *
 * @throws RecordLost
 */
export async function findBeginning(files: ExperimentFiles): Promise<Beginning | null> {
  // Without a config, a record is left over from a start that failed: no debate was held.
  const debated = (await begunIterations(files)).length > 0;
  const config = await findKeptTwice(kept(files, 'config'), storedConfigSchema, debated);
  if (config === null) return null;
  const begunWith = await findKeptTwice(
    kept(files, 'begunWith'),
    begunWithSchema,
    // Earlier versions wrote no copies, and the earliest of them no record.
    await isThere(files.copyOf.config),
  );
  return { config, with: begunWith, changedQuestionFiles: await changedSince(config, begunWith) };
}

/** Writes how an experiment began, so that it can be compared when the experiment is prepared again. */
export async function writeBeginning(
  files: ExperimentFiles,
  config: ExperimentConfig,
  begunWith: BegunWith,
): Promise<void> {
  await writeTwice(kept(files, 'begunWith'), begunWith);
  // Last, because the config shows that the record is there.
  await writeTwice(kept(files, 'config'), config);
}

function kept(files: ExperimentFiles, what: keyof ExperimentFiles['copyOf']): KeptTwice {
  return { place: files[what], copy: files.copyOf[what], folder: files.folder.where };
}

async function changedSince(config: ExperimentConfig, begunWith: BegunWith | null): Promise<string[]> {
  const then = begunWith?.questionFiles ?? {};
  const now = await hashesOfQuestionFiles(config);
  return Object.keys(then).filter((path) => (now[path] ?? then[path]) !== then[path]);
}

function hashesOfQuestionFiles({ task, transfer }: ExperimentConfig): Promise<Record<string, string>> {
  return questionFileHashes([task, ...Object.values(transfer)]);
}

/**
 * Debates of another base model cannot be continued.
 *
 * @param now a base model of the experiment as it is now
 * @throws BaseModelChanged
 */
export function requireBegunWith(
  beginning: Beginning | null,
  now: KnownBaseModel,
  { folder }: ExperimentFiles,
): void {
  const then = recordedModel(beginning?.with ?? null, now.base);
  if (then !== undefined) requireSameBaseModel(then, now, folder.where);
}

/**
 * What the debates depend on and the config does not hold, as it was when the experiment began. Other question files are only noted, because
 * the questions are stored.
 *
 * @param models the base models as they are now
 * @param config the one that is in force
 * @param beginning null for a new experiment
 */
export async function recordOf(
  models: readonly KnownBaseModel[],
  config: ExperimentConfig,
  beginning: Beginning | null,
): Promise<BegunWith> {
  const then = beginning?.with ?? null;
  if (then !== null) return { ...then, changedQuestionFiles: beginning?.changedQuestionFiles ?? [] };
  return {
    formatVersion: 1,
    models: [...models],
    questionFiles: await hashesOfQuestionFiles(config),
    changedQuestionFiles: [],
    ...(beginning === null ? {} : { recordedLater: true }),
  };
}

/**
 * The number of rows in each of these files; null when they have to be written. Stored questions that are damaged or missing are read again
 * from where they came from, as long as that is still the same.
 *
 * @param beginning null for a new experiment: what is there is then left over from a start that failed, perhaps with another config
 * @throws QuestionsLost
 */
export async function storedQuestions(
  places: readonly Place[],
  beginning: Beginning | null,
  { folder }: ExperimentFiles,
): Promise<readonly number[] | null> {
  if (beginning === null) return null;
  const found = await Promise.all(places.map(async (place) => (await findRows(place))?.rows ?? null));
  const lost = places.filter((_, index) => found[index] === null);
  if (lost.length > 0 && beginning.changedQuestionFiles.length > 0)
    throw new QuestionsLost(
      lost.map(({ where }) => where),
      beginning.changedQuestionFiles,
      folder.where,
    );
  return lost.length > 0 ? null : found.map((rows) => rows ?? 0);
}

export type ChangeRequest = Moment & {
  readonly experiment: string;
  /** Settings with their new values: as in a config, or by paths such as `fine_tune.learning_rate`. */
  readonly settings: ConfigInput;
  /** Whose group is being distilled into one model, where a guard chose an iteration before this one. */
  readonly ofDistilled?: number;
};

/**
 * Changes settings of a running experiment that no finished work depends on, and adds the changes to the experiment's config-changes.json.
 * Settings that have these values already change nothing, so that a repeated request is harmless.
 *
 * @returns what has changed
 * @throws InvalidConfig when a value is not allowed, or the setting cannot be changed (any more); nothing is then changed
 */
export async function changeConfig(
  { experiment, settings, ofDistilled, ...moment }: ChangeRequest,
  { store, trainers }: Dependencies,
): Promise<readonly ConfigChange[]> {
  const files = experimentFiles(store, experiment);
  const before = await configInForce(files);
  const given = Object.entries(settings)
    .map(([path, value]) => nested(path, value))
    .reduce(mergeConfig, {});
  const after = resolved({ ...mergeConfig(before, given), preset: 'paper' });
  const differences = configDifference(before, after);
  const faults = differences.flatMap((each) => faultOf(each, moment));
  if (after.trainer !== undefined && !trainers.has(after.trainer)) {
    const message = `no trainer is called ${JSON.stringify(after.trainer)} where this worker runs`;
    faults.push({ path: 'trainer', message });
  }
  if (faults.length > 0) throw new InvalidConfig(faults, subject);
  const at = new Date().toISOString();
  const changes = differences.map(({ path, ...values }): ConfigChange => {
    const fromIteration = changeHoldsFrom(path, moment) ?? moment.iteration;
    return { at, fromIteration, ...(ofDistilled === undefined ? {} : { ofDistilled }), path, ...values };
  });
  if (changes.length > 0)
    await writeDocument(files.configChanges, {
      formatVersion: 1,
      changes: [...(await changesOf(files)), ...changes],
    });
  return changes;
}

const subject = 'The change';

function resolved(input: ConfigInput): ReturnType<typeof resolveConfig> {
  try {
    return resolveConfig(input);
  } catch (error) {
    throw error instanceof InvalidConfig ? new InvalidConfig(error.faults, subject) : error;
  }
}

function faultOf({ path, before }: Difference, moment: Moment): ConfigFault[] {
  if (path === 'iterations')
    return [{ path, message: 'is changed by `colloquy set-iterations` (the update `setIterations`)' }];
  if (/^budget\b/.test(path))
    return [{ path, message: 'is changed by `colloquy set-budget` (the update `setBudget`)' }];
  if (path === 'diversity.questions' && before === 0)
    return [{ path, message: 'diversity is not measured in this experiment' }];
  if (changeHoldsFrom(path, moment) !== null) return [];
  const now = changeableNow(moment);
  const others =
    now.length === 0 ? 'no setting can be changed now' : `only these can be now: ${now.join(', ')}`;
  return [{ path, message: `cannot be changed: finished work depends on it; ${others}` }];
}
