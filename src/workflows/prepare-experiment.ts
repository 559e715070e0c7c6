import type { Plan } from '../activities/prepare.ts';
import { activities } from './activity-proxies.ts';
import type { RunControl } from './run-control.ts';

/** Resolves and checks the config, and writes it and the questions to the store, unless they are there. */
export function prepareExperiment(experiment: string, input: unknown, control: RunControl): Promise<Plan> {
  return control.step('prepare', () =>
    activities.prepare.executeWithOptions(
      { activityId: 'prepare', summary: 'resolve and check the config' },
      [{ experiment, input: input ?? null }],
    ),
  );
}
