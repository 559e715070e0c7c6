/** What comes before the first iteration, and is made again when it is damaged. */
import type { Plan } from '../activities/steps/prepare.ts';
import { type Agent, baseAgents } from '../algorithm/agents.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Model } from '../store/models.ts';
import type { RunControl } from './control.ts';
import { evaluateAgents, transferAgents, validateAgents } from './debate-questions.ts';
import type { ExperimentState } from './progress.ts';
import { steps } from './steps.ts';
import { isDamage } from './failures.ts';

/** Resolves and checks the config, and writes it and the questions to the store, unless they are there. */
export function prepareExperiment(experiment: string, input: unknown, control: RunControl): Promise<Plan> {
  return control.step(steps.prepare({ experiment, input: input ?? null }));
}

/** The agents before the first iteration: those that the last night left, or base models. */
export function startingAgents({ agents, roles, base, bases, night }: Plan): readonly Agent<Model>[] {
  return night?.agents ?? baseAgents(bases ?? Array.from({ length: agents }, () => base), roles);
}

/** Evaluates the starting agents. Those of a night were evaluated when the night before ended: its debates are taken over. */
export async function evaluateStart(state: ExperimentState, control: RunControl): Promise<Start> {
  const { plan } = state;
  const from = plan.night?.evaluated ?? null;
  // mutation: adopt
  if (from !== null) {
    await control.step(steps.adoptEvaluation({ experiment: plan.experiment, from }));
  }
  const base = { ...state, iteration: 0, agents: startingAgents(plan) };
  const evaluation = await evaluateAgents(base, control);
  await transferAgents(base, control);
  const { agents: _, ...validated } = await validateAgents({ ...base, validations: [] }, control);
  return { evaluation, validated };
}

type Start = {
  readonly evaluation: Evaluation;
  readonly validated: Pick<ExperimentState, 'validations' | 'best' | 'stopped'>;
};

const attempts = 3;

/**
 * Does work again when it finds that an artifact of an earlier one is damaged or gone: finished steps return at
 * once from the store, the damaged one is made again. What earlier runs made is looked after too: the config and the questions,
 * the agents' models, and the starting agents' evaluation with which every other is compared.
 *
 * @param work is told whether an artifact was found damaged or gone
 * @param lastResort for what is still damaged after that
 */
export async function remakingDamaged<Result>(
  state: ExperimentState,
  input: unknown,
  control: RunControl,
  work: (again: boolean) => Promise<Result>,
  lastResort: (error: unknown) => Promise<void>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      if (attempt > 1) {
        await prepareExperiment(state.plan.experiment, input, control);
        // mutation: remake
        await remakeEarlier(state, control);
      }
      return await work(attempt > 1);
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (attempt % attempts === 0) await lastResort(error);
    }
  }
}

async function remakeEarlier(state: ExperimentState, control: RunControl): Promise<void> {
  const best = state.best?.agents ?? [];
  for (const key of keysOf([...state.agents, ...startingAgents(state.plan), ...best])) {
    await control.step(steps.remakeModel({ key }));
  }
  if (state.iteration > 0) await evaluateStart(state, control);
}

/** The content addresses of the agents' models that were made here, each once. */
export function keysOf(agents: readonly Agent<Model>[]): string[] {
  const models = agents.flatMap((agent) => Object.values(agent.models));
  return [...new Set(models.flatMap(({ tuned }) => tuned?.key ?? []))];
}
