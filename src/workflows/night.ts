import type { Plan } from '../activities/steps/prepare.ts';
import { type Agent, baseAgents } from '../algorithm/agents.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Model } from '../store/models.ts';
import type { NightOutcome } from '../store/records/result.ts';
import type { RunControl } from './control.ts';
import { evaluateAgents, transferAgents } from './debate-questions.ts';
import type { ExperimentState } from './progress.ts';
import { steps } from './steps.ts';

/** Resolves and checks the config, and writes it and the questions to the store, unless they are there. */
export function prepareExperiment(experiment: string, input: unknown, control: RunControl): Promise<Plan> {
  return control.step(steps.prepare({ experiment, input: input ?? null }));
}

/** The agents before the first iteration: those that the last night left, or N times the base model. */
export function startingAgents({ agents, roles, base, night }: Plan): readonly Agent<Model>[] {
  return night?.agents ?? baseAgents(agents, roles, base);
}

/** Evaluates the starting agents. Those of a night were evaluated when the night before ended: its debates are taken over. */
export async function evaluateStart(state: ExperimentState, control: RunControl): Promise<Evaluation> {
  const { plan } = state;
  const from = plan.night?.evaluated ?? null;
  // mutation: adopt
  if (from !== null) {
    await control.step(steps.adoptEvaluation({ experiment: plan.experiment, from }));
  }
  const base = { ...state, iteration: 0, agents: startingAgents(plan) };
  const evaluation = await evaluateAgents(base, control);
  await transferAgents(base, control);
  return evaluation;
}

/** Tells the series what has become of a night. */
export function closeNight({ plan, agents }: ExperimentState, control: RunControl): Promise<NightOutcome> {
  return control.step(steps.closeNight({ experiment: plan.experiment, agents }));
}
