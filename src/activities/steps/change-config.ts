import { changeableNow, changeHoldsFrom, type Moment } from '../../algorithm/steering.ts';
import { type ConfigFault, InvalidConfig } from '../../config/faults.ts';
import { type ConfigInput, mergeConfig } from '../../config/load.ts';
import { configDifference, type Difference, resolveConfig } from '../../config/resolve.ts';
import { writeDocument } from '../../store/files/documents.ts';
import { type ConfigChange, changesOf, configInForce, nested } from '../../store/records/config-changes.ts';
import { experimentFiles } from '../../store/store.ts';
import type { Dependencies } from '../activity.ts';

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
