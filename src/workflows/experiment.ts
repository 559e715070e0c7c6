/** How does an experiment go from its beginning to its result, over all its runs, and what is made again when it is found damaged? */
import { allHandlersFinished, ApplicationFailure, condition, workflowInfo } from '@temporalio/workflow';
import type { FineTuned } from '../activities/steps/fine-tune.ts';
import type { Plan } from '../activities/steps/prepare.ts';
import { type Agent, baseAgents, distilledModel } from '../algorithm/agents.ts';
import { freshBudget } from '../algorithm/steering.ts';
import type { ExperimentResult, NightOutcome } from '../store/records/result.ts';
import { continueOnCurrentVersion, failuresThatEndARun, isDamage } from './temporal.ts';
import { createRunControl, type RunControl } from './control.ts';
import { evaluateAgents, measure, transferAgents, validateAgents } from './debate-questions.ts';
import { fineTuneRecord, iterate, keysOf, untrained } from './iterate.ts';
import { type ExperimentState, guardProgress } from './progress.ts';
import { distilledText } from './progress-table.ts';
import { damagedArtifacts, steps } from './steps.ts';
import type { Model } from '../store/models.ts';

/**
 * One method on one task for L iterations (Algorithm 1 of the paper): evaluate the base model, then iterate: debate, datasets,
 * fine-tune, evaluate. The workflow id is the experiment's name. Each iteration is a run of its own, continued as new with small
 * references; started again after a failure or a cancellation, it finds what is finished in the store and goes on from there.
 *
 * @param input one JSON object, every field optional: see configs/schema.json
 * @param given the state that the run before hands over, never given by a user
 */
export async function experiment(input?: unknown, given?: ExperimentState): Promise<ExperimentResult> {
  const { workflowId: name, continuedFromExecutionRunId } = workflowInfo();
  const isContinued = continuedFromExecutionRunId !== undefined;
  if (!isContinued && given !== undefined && !isState(given)) throw secondInput();
  // The UI's *Start Workflow Like This One* gives all inputs of the run that it is like, this one among them.
  const carried = isContinued ? given : undefined;
  const control = createRunControl(name, carried);
  return failuresThatEndARun(control.ended, async () => {
    const state = carried ?? (await begin(name, input, control));
    control.began(state);
    const park = (error: unknown) => control.park(damagedArtifacts, error);
    const next = await remakingDamaged(
      state,
      input,
      control,
      (again) => (state.iteration === 0 ? evaluateBase(state, control) : iterate(state, control, again)),
      park,
    );
    if (next.best !== undefined) control.guarded(guardProgress(next));
    if (next.iteration <= control.iterations() && next.stopped !== true) {
      await control.untilResumed();
      // mutation: next iteration
      return nextRun(input, { ...next, ...control.carried() }, control);
    }
    // The report reads what earlier runs have left, which this run cannot make again: a new chain of runs goes through all of it.
    const beginAgain = () => {
      const { budget, ...carriedOn } = control.carried();
      const again = budget === undefined ? {} : { budget: freshBudget(budget.limits, budget.used) };
      return nextRun(input, { ...firstState(next.plan), ...carriedOn, ...again, begunAnew: true }, control);
    };
    control.finishing();
    const result = await remakingDamaged(
      next,
      input,
      control,
      () => finish(name, next, control),
      // mutation: last resort
      next.begunAnew ? park : beginAgain,
    );
    control.warned(result.warnings);
    if (result.distilled !== undefined) control.distilled(distilledText(result.distilled.evaluation));
    control.finished(next.evaluations, result);
    await condition(allHandlersFinished);
    return result;
  });
}

/** Whether a second input is what a run of some experiment hands to the next. */
function isState(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'plan' in given && 'agents' in given;
}

/** `temporal workflow start` with two `--input`: the second one would be taken for the state that an earlier run hands over. */
function secondInput(): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    'The input has a fault:\n  two inputs were given; expected one object with all settings',
    'InvalidConfig',
  );
}

async function begin(name: string, input: unknown, control: RunControl): Promise<ExperimentState> {
  control.enter('preparing', { unit: 'steps', total: 1 });
  return firstState(await prepareExperiment(name, input, control));
}

/** Resolves and checks the config, and writes it and the questions to the store, unless they are there. */
function prepareExperiment(experiment: string, input: unknown, control: RunControl): Promise<Plan> {
  return control.step(steps.prepare({ experiment, input: input ?? null }));
}

function firstState(plan: Plan): ExperimentState {
  return {
    plan,
    iteration: 0,
    iterations: plan.iterations,
    agents: startingAgents(plan),
    evaluations: [],
    ...(plan.budget === undefined ? {} : { budget: plan.budget }),
  };
}

async function evaluateBase(state: ExperimentState, control: RunControl): Promise<ExperimentState> {
  const { evaluation, validated } = await evaluateStart(state, control);
  return { ...state, ...validated, iteration: 1, evaluations: [evaluation] };
}

/** The agents before the first iteration: those that the last night left, or base models. */
function startingAgents({ agents, roles, base, bases, night }: Plan): readonly Agent<Model>[] {
  return night?.agents ?? baseAgents(bases ?? Array.from({ length: agents }, () => base), roles);
}

/** Evaluates the starting agents. Those of a night were evaluated when the night before ended: its debates are taken over. */
async function evaluateStart(state: ExperimentState, control: RunControl) {
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

/** Ends this run and starts the next one of the chain, once no update is being handled. */
async function nextRun(input: unknown, state: ExperimentState, control: RunControl): Promise<never> {
  await condition(allHandlersFinished);
  control.continues(state);
  return continueOnCurrentVersion<typeof experiment>(input, state);
}

/**
 * What follows the last iteration: transfer to other tasks, one model distilled from the group, the result with its report, and the verdict on
 * a night. With a guard it is done with the agents of the best iteration.
 */
async function finish(name: string, state: ExperimentState, control: RunControl): Promise<ExperimentResult> {
  const last = state.iteration - 1;
  const { iteration, agents } = state.best ?? { iteration: last, agents: state.agents };
  if (iteration > 0) {
    await transferAgents({ ...state, iteration, agents }, control);
    // mutation: distil
    await distill({ ...state, iteration, agents }, control);
  }
  control.enter('reporting', { unit: 'steps', total: 1 });
  const result = await control.step(steps.writeResult({ experiment: name, iterations: last }));
  return state.plan.night === undefined
    ? result
    : { ...result, night: await closeNight({ ...state, agents }, control) };
}

/** Judges the night, and enters it in its series. */
function closeNight({ plan, agents }: ExperimentState, control: RunControl): Promise<NightOutcome> {
  return control.step(steps.closeNight({ experiment: plan.experiment, agents }));
}

/**
 * Distils the group into one model, which costs one answer instead of a debate: it begins as the base model of agent 1, learns from the training debates of the
 * last iteration (by a guard, of the best one), and answers the held-out questions alone.
 */
async function distill(last: ExperimentState, control: RunControl): Promise<void> {
  const { plan, iteration } = last;
  if (plan.distill === undefined) return;
  const { experiment, train, base, roles } = plan;
  const { from, objective: asked } = plan.distill;
  const began = Date.now();
  control.enter('distilling', { unit: 'steps', total: 1 });
  const built = await control.step(steps.buildDistilled({ experiment, iteration, shards: train.shards }));
  const { rows: dataset, agents, agreed, labelled, parts, cut = 0, objective } = built;
  const beganFineTune = Date.now();
  control.enter('distilling', { unit: 'models', total: 1 });
  const by = objective === undefined ? {} : { objective };
  const whose = { agent: 1, role: distilledModel };
  const fineTuned: FineTuned =
    dataset.rows === 0
      ? { ...untrained, ...whose, model: base }
      : await control.step(steps.distill({ experiment, iteration, ...whose, dataset, init: base, ...by }));
  const { finalLoss: loss, droppedRows = 0, tokens, model, trained } = fineTuned;
  if (loss !== null) control.learned({ loss, iteration, ...whose }, droppedRows);
  const record = steps.recordDistilled({
    experiment,
    iteration,
    from,
    objective: asked,
    labelled,
    agreed: [...agreed],
    dataset: { agents: [...agents], role: distilledModel, rows: dataset.rows, parts, cut, ...by },
    fineTune: fineTuneRecord(fineTuned),
    tokens,
    seconds: { dataset: (beganFineTune - began) / 1000, fineTune: (Date.now() - beganFineTune) / 1000 },
  });
  control.warned(await control.step(record));
  if (!trained) return;
  await measure({ ...last, agents: baseAgents([model], roles) }, control, 'distilled');
}

/**
 * Does work again when it finds that an artifact of an earlier one is damaged or gone: finished steps return at
 * once from the store, the damaged one is made again. What earlier runs made is looked after too: the config and the questions,
 * the agents' models, and the starting agents' evaluation with which every other is compared.
 *
 * @param work is told whether an artifact was found damaged or gone
 * @param lastResort for what is still damaged after that
 */
async function remakingDamaged<Result>(
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

/** How often the work is tried before each call of the last resort. */
const attempts = 3;

async function remakeEarlier(state: ExperimentState, control: RunControl): Promise<void> {
  const best = state.best?.agents ?? [];
  for (const key of keysOf([...state.agents, ...startingAgents(state.plan), ...best])) {
    await control.step(steps.remakeModel({ key }));
  }
  if (state.iteration > 0) await evaluateStart(state, control);
}
