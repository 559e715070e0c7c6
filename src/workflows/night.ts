import type { Plan } from '../activities/steps/prepare.ts';
import { type Agent, baseAgents } from '../algorithm/agents.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Model } from '../store/models.ts';
import type { NightOutcome } from '../store/records/result.ts';
import { activities } from './activity-proxies.ts';
import type { RunControl } from './control.ts';
import { evaluateAgents, transferAgents } from './evaluate-agents.ts';
import type { ExperimentState } from './progress.ts';

/** Resolves and checks the config, and writes it and the questions to the store, unless they are there. */
export function prepareExperiment(experiment: string, input: unknown, control: RunControl): Promise<Plan> {
  return control.step('prepare', () =>
    activities.prepare.executeWithOptions(
      { activityId: 'prepare', summary: 'resolve and check the config' },
      [{ experiment, input: input ?? null }],
    ),
  );
}

/** The agents before the first iteration: those that the last night left, or N times the base model. */
export function startingAgents({ agents, roles, base, night }: Plan): readonly Agent<Model>[] {
  return night?.agents ?? baseAgents(agents, roles, base);
}

/** Evaluates the starting agents. Those of a night were evaluated when the night before ended: its debates are taken over. */
export async function evaluateStart(state: ExperimentState, control: RunControl): Promise<Evaluation> {
  const { plan } = state;
  const from = plan.night?.evaluated ?? null;
  if (from !== null) {
    await control.step('adopt-evaluation', () =>
      activities.adoptEvaluation.executeWithOptions(
        { activityId: 'adopt-evaluation', summary: `held-out debates of ${from.experiment}` },
        [{ experiment: plan.experiment, from }],
      ),
    );
  }
  const base = { ...state, iteration: 0, agents: startingAgents(plan) };
  const evaluation = await evaluateAgents(base, control);
  await transferAgents(base, control);
  return evaluation;
}

/** Tells the series what has become of a night. */
export function closeNight({ plan, agents }: ExperimentState, control: RunControl): Promise<NightOutcome> {
  return control.step('close-night', () =>
    activities.closeNight.executeWithOptions(
      { activityId: 'close-night', summary: 'carry the night on, or say why not' },
      [{ experiment: plan.experiment, agents }],
    ),
  );
}
