import { type Agent, baseAgents } from '../algorithm/agents.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Plan } from '../activities/prepare.ts';
import type { NightOutcome } from '../store/experiment-result.ts';
import type { ModelRef } from '../store/model-ref.ts';
import { activities } from './activity-proxies.ts';
import { evaluateAgents, transferAgents } from './evaluate-agents.ts';
import type { ExperimentState } from './experiment-state.ts';
import type { RunControl } from './run-control.ts';

/** The agents before the first iteration: those that the last night left, or N times the base model. */
export function startingAgents({ agents, roles, night }: Plan): readonly Agent<ModelRef>[] {
  return night?.agents ?? baseAgents(agents, roles, { kind: 'base' });
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
