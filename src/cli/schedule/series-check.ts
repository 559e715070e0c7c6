/** What can be known of a series before its next night: whether the config fits it, and how small a loss its guard can detect. */
import { InvalidConfig } from '../../config/faults.ts';
import { configDifference, fixedSettings, resolveConfig } from '../../config/resolve.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { createTasks } from '../../questions/open-task.ts';
import { loadHeldOut } from '../../questions/task.ts';
import { guardInWords } from '../../report/findings/warnings.ts';
import { heldOutOf, readLedger } from '../../store/series.ts';
import type { Store } from '../../store/store.ts';

/**
 * Compares the config of a schedule's nights with the series that it goes on with, if this machine's store has that.
 *
 * @returns sentences for the person who makes the schedule
 * @throws InvalidConfig for settings that no night of the series may change; SeriesDamaged
 */
export async function checkSeries(input: unknown, store: Store): Promise<string[]> {
  const config = resolveConfig(input);
  const night = config.carry_over;
  if (night === undefined) return [];
  const ledger = await readLedger(store, night.series);
  const [first] = ledger;
  const differences = first === undefined ? [] : configDifference(first.fixed, fixedSettings(config));
  if (differences.length > 0)
    throw new InvalidConfig(
      differences.map(({ path, before, after }) => ({
        path,
        message: `the series ${night.series} was begun with ${JSON.stringify(before)}, not ${JSON.stringify(after)}, and no night may change that; take another name`,
      })),
    );
  const heldOut = first === undefined ? await heldOutQuestions(config) : await heldOutOf(store, night.series);
  return [
    ...(ledger.length === 0
      ? []
      : [`It goes on with the series ${night.series}, which has ${ledger.length} nights.`]),
    ...(heldOut === null ? [] : [guardInWords(heldOut.length, night.max_drop)]),
  ];
}

/** Null where this machine cannot load them: the worker may be on another one. */
async function heldOutQuestions({ task, seed }: ExperimentConfig): Promise<readonly unknown[] | null> {
  const tasks = createTasks();
  try {
    return await loadHeldOut(tasks.open(task), seed);
  } catch {
    return null;
  } finally {
    await tasks.close();
  }
}
