import { allHandlersFinished, ApplicationFailure, condition, workflowInfo } from '@temporalio/workflow';
import type { Plan } from '../activities/steps/prepare.ts';
import type { ExperimentResult } from '../store/records/result.ts';
import { activities } from './activity-proxies.ts';
import { continueOnCurrentVersion } from './continue-on-current-version.ts';
import { createRunControl, type RunControl } from './control.ts';
import { transferAgents } from './evaluate-agents.ts';
import { failuresThatEndARun } from './failures.ts';
import { iterate } from './iterate.ts';
import { closeNight, evaluateStart, prepareExperiment, startingAgents } from './night.ts';
import type { ExperimentState } from './progress.ts';
import { remakingDamaged } from './remaking-damaged.ts';

/**
 * One method on one task for L iterations (Algorithm 1 of the paper): evaluate the base model, then iterate: debate, datasets,
 * fine-tune, evaluate. The workflow id is the experiment's name. Each iteration is a run of its own, continued as new with small
 * references; started again after a failure or a cancellation, it finds what is finished in the store and goes on from there.
 *
 * @param input one JSON object, every field optional: see configs/schema.json
 * @param carried given by the run before, never by a user
 */
export async function experiment(input?: unknown, carried?: ExperimentState): Promise<ExperimentResult> {
  const { workflowId, continuedFromExecutionRunId } = workflowInfo();
  if (carried !== undefined && continuedFromExecutionRunId === undefined) throw secondInput();
  const control = createRunControl(workflowId, carried);
  return failuresThatEndARun(control.ended, async () => {
    const state = carried ?? (await begin(workflowId, input, control));
    control.began(state);
    const parks = (error: unknown) => control.park('damaged artifacts', error);
    const next = await remakingDamaged(
      state,
      input,
      control,
      () => (state.iteration === 0 ? evaluateBase(state, control) : iterate(state, control)),
      parks,
    );
    if (next.iteration <= control.iterations()) {
      await control.untilResumed();
      await condition(allHandlersFinished);
      // mutation: next iteration
      return continueOnCurrentVersion<typeof experiment>(input, { ...next, ...control.carried() });
    }
    const steps = async () => {
      const last = { ...next, iteration: next.iteration - 1 };
      if (last.iteration > 0) await transferAgents(last, control);
      control.enter('reporting', { unit: 'steps', total: 1 });
      return report(workflowId, next, control);
    };
    // The report reads what earlier runs have left, which this one cannot make again: all of them are gone through once more.
    const beginsAnew = async () => {
      await condition(allHandlersFinished);
      return continueOnCurrentVersion<typeof experiment>(input, {
        ...beginning(next.plan),
        ...control.carried(),
        begunAnew: true,
      });
    };
    // mutation: last resort
    const result = await remakingDamaged(next, input, control, steps, next.begunAnew ? parks : beginsAnew);
    control.finished(next.evaluations, result.night?.said);
    await condition(allHandlersFinished);
    return result;
  });
}

/** `temporal workflow start` with two `--input`: the second would be taken for what a run before has carried. */
function secondInput(): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    'The input has a fault:\n  two inputs were given; expected one object with all settings',
    'InvalidConfig',
  );
}

async function begin(experimentName: string, input: unknown, control: RunControl): Promise<ExperimentState> {
  control.enter('preparing', { unit: 'steps', total: 1 });
  const plan = await prepareExperiment(experimentName, input, control);
  return beginning(plan);
}

function beginning(plan: Plan): ExperimentState {
  return {
    plan,
    iteration: 0,
    iterations: plan.iterations,
    agents: startingAgents(plan),
    evaluations: [],
  };
}

async function evaluateBase(state: ExperimentState, control: RunControl): Promise<ExperimentState> {
  const evaluation = await evaluateStart(state, control);
  return { ...state, iteration: 1, evaluations: [evaluation] };
}

async function report(
  experimentName: string,
  state: ExperimentState,
  control: RunControl,
): Promise<ExperimentResult> {
  const result = await writeResult(experimentName, state, control);
  return state.plan.night === undefined ? result : { ...result, night: await closeNight(state, control) };
}

function writeResult(
  experimentName: string,
  { iteration }: ExperimentState,
  control: RunControl,
): Promise<ExperimentResult> {
  return control.step('result', () =>
    activities.writeResult.executeWithOptions(
      { activityId: 'result', summary: 'result.json and report.html' },
      [{ experiment: experimentName, iterations: iteration - 1 }],
    ),
  );
}
