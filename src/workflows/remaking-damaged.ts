import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { baseAgents } from '../algorithm/agents.ts';
import { activities } from './activity-proxies.ts';
import { evaluateAgents } from './evaluate-agents.ts';
import type { ExperimentState } from './experiment-state.ts';
import type { RunControl } from './run-control.ts';

const attempts = 3;

/**
 * Does the steps again when one of them finds that an artifact of an earlier one is damaged or gone: finished steps return at
 * once from the store, the damaged one is made again. What earlier runs made is looked after too: the agents' models, and the
 * base model's evaluation with which every other is compared. What is still damaged after that waits for a person.
 */
export async function remakingDamaged<Result>(
  state: ExperimentState,
  control: RunControl,
  steps: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt > 1) await remakeEarlier(state, control);
      return await steps();
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (attempt % attempts === 0) await control.park('damaged artifacts', error);
    }
  }
}

async function remakeEarlier(state: ExperimentState, control: RunControl): Promise<void> {
  const models = state.agents.flatMap(({ generation, critic }) => [generation, critic]);
  for (const model of models) {
    if (model.kind === 'base') continue;
    const activityId = `remake-${model.key.slice(0, 16)}`;
    await control.step(activityId, () =>
      activities.remakeModel.executeWithOptions({ activityId, summary: 'make a damaged model again' }, [
        { key: model.key },
      ]),
    );
  }
  if (state.iteration > 0) {
    await evaluateAgents(
      { ...state, iteration: 0, agents: baseAgents(state.plan.agents, { kind: 'base' }) },
      control,
    );
  }
}

/** Failures that `remakingDamaged` can mend, by the names of the store's errors. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return (
    cause instanceof ApplicationFailure &&
    (cause.type === 'ArtifactDamaged' || cause.type === 'ArtifactMissing')
  );
}
