import type { Agent } from '../algorithm/agents.ts';
import type { Model } from '../store/models.ts';
import type { RunControl } from './control.ts';
import { isDamage } from './failures.ts';
import { evaluateStart, prepareExperiment, startingAgents } from './night.ts';
import type { ExperimentState } from './progress.ts';
import { steps as stepOf } from './steps.ts';

const attempts = 3;

/**
 * Does the steps again when one of them finds that an artifact of an earlier one is damaged or gone: finished steps return at
 * once from the store, the damaged one is made again. What earlier runs made is looked after too: the config and the questions,
 * the agents' models, and the starting agents' evaluation with which every other is compared.
 *
 * @param lastResort for what is still damaged after that
 */
export async function remakingDamaged<Result>(
  state: ExperimentState,
  input: unknown,
  control: RunControl,
  steps: () => Promise<Result>,
  lastResort: (error: unknown) => Promise<void>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt > 1) {
        await prepareExperiment(state.plan.experiment, input, control);
        // mutation: remake
        await remakeEarlier(state, control);
      }
      return await steps();
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (attempt % attempts === 0) await lastResort(error);
    }
  }
}

async function remakeEarlier(state: ExperimentState, control: RunControl): Promise<void> {
  for (const key of keysOf([...state.agents, ...startingAgents(state.plan)])) {
    await control.step(stepOf.remakeModel({ key }));
  }
  if (state.iteration > 0) await evaluateStart(state, control);
}

/** The content addresses of the agents' models that were made here, each once. */
export function keysOf(agents: readonly Agent<Model>[]): string[] {
  const models = agents.flatMap((agent) => Object.values(agent.models));
  return [...new Set(models.flatMap(({ tuned }) => tuned?.key ?? []))];
}
