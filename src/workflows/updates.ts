import { ApplicationFailure, condition, defineSignal, log, setHandler } from '@temporalio/workflow';
import type { UpdateDefinition } from '@temporalio/common';
import { budgetKinds, usedUp, withLimits } from '../algorithm/steering.ts';
import { listed } from '../text/figures.ts';
import { reasonOf } from './temporal.ts';
import { amountText, budgetText, progressTable } from './progress-table.ts';
import {
  abortUpdate,
  changeUpdate,
  holdSignal,
  pauseUpdate,
  type Progress,
  progressQuery,
  resumeUpdate,
  retryUpdate,
  setBudgetUpdate,
  setIterationsUpdate,
  waitingSteps,
  waitsForBudget,
} from './progress.ts';
import { steps } from './steps.ts';
import type { ProgressTracker, StepsInFlight } from './track-progress.ts';

/** What people have asked of a run. Each wait throws once it was aborted. */
export type Steering = {
  readonly throwIfAborted: () => void;
  /** Waits while the run is paused. */
  readonly untilResumed: () => Promise<void>;
  /** How often `retry` was asked for. */
  readonly retriesAsked: () => number;
  /** Waits for the next `retry`. */
  readonly untilRetried: () => Promise<void>;
  /** Waits while the budget is used up. */
  readonly untilRaised: (isUsedUp: () => boolean) => Promise<void>;
};

/**
 * Registers the query and the updates of progress.ts.
 *
 * @param inFlight what is under way: a pause and an abort stop it
 */
export function takeUpdates(
  experiment: string,
  { current, update }: ProgressTracker,
  inFlight: Pick<StepsInFlight, 'stop' | 'stopCostly' | 'names'>,
): Steering {
  let paused = false;
  let aborted: ApplicationFailure | undefined;
  let retriesAsked = 0;

  setHandler(
    progressQuery,
    () => ({ ...current(), table: progressTable(current()), steps: inFlight.names() }),
    {
      description: 'Where the experiment is: figures, the same as a table in words, and the steps under way.',
    },
  );
  takeBoth(
    pauseUpdate,
    'Stops the steps in flight after they have saved what they have. `resume` goes on from there.',
    () => {
      paused = true;
      // mutation: pause
      inFlight.stop();
      return update({ paused });
    },
    () => refuseIf(paused, 'The experiment is paused already; `resume` goes on.'),
  );
  takeBoth(
    resumeUpdate,
    'Goes on after a pause.',
    () => {
      paused = false;
      return update({ paused });
    },
    () => refuseIf(!paused, 'The experiment is not paused. A parked one goes on after `retry`.'),
  );
  takeBoth(
    retryUpdate,
    'Tries again the steps that wait for a person, and once more those under way that fail after it.',
    () => {
      retriesAsked += 1;
      const { waiting, retries } = current();
      return update({
        waiting: waiting.filter(waitsForBudget),
        retries: retries + waitingSteps(waiting).length,
      });
    },
    () => {
      const { waiting } = current();
      const others = waitingSteps(waiting);
      refuseIf(waiting.length > 0 && others.length === 0, `The budget is used up: ${goesOnWith(experiment)}`);
      refuseIf(others.length === 0, 'No step is waiting for `retry`.');
    },
  );
  takeBoth(
    abortUpdate,
    'Ends the experiment as failed. What is finished stays. Argument: the reason, a text (may be left out).',
    (reason?: string) => {
      aborted = ApplicationFailure.nonRetryable(
        `Aborted${reason ? `: ${reason}` : ''}. What is finished stays; starting ${experiment} again goes on from there.`,
        'Aborted',
      );
      inFlight.stop();
      return update({ waiting: [] });
    },
    (reason?: unknown) => refuseReason(reason),
  );
  takeBoth(
    setIterationsUpdate,
    'Sets the number of iterations. Argument: a whole number, not below the iteration under way.',
    (iterations) => update({ iterations }),
    (iterations) => refuseIterations(iterations, current()),
  );
  takeBoth(
    setBudgetUpdate,
    'Sets limits of the budget. Argument: an object, e.g. {"tokens": 2000000}; null for no limit. What is used up goes on once there is more.',
    (given) => {
      const { budget } = current();
      if (budget === undefined) return current();
      const limits = withLimits(budget.limits, given);
      const raised = { ...budget, limits };
      const goesOn = usedUp(raised).length === 0 && current().held === undefined;
      log.info('the budget was set', { says: budgetText(raised) });
      return update({ budget: raised, ...(goesOn ? { waiting: waitingSteps(current().waiting) } : {}) });
    },
    (given) => {
      const fault = limitsFault(given, current());
      refuseIf(fault !== undefined, fault ?? '');
      refuseIf(current().phase === 'done', 'The experiment is over.');
    },
  );
  setHandler(
    holdSignal,
    (held) => {
      update({ held: held ?? undefined, waiting: waitingSteps(current().waiting) });
      if (held !== null) inFlight.stopCostly();
    },
    { description: 'From its study: the total budget is used up, or (null) no longer is.' },
  );
  takeBoth(
    changeUpdate,
    'Changes settings that no finished work depends on. Argument: an object, e.g. {"fine_tune.learning_rate": 0.0001}.',
    changesInTurn(experiment, current),
    (settings) => refuseChange(settings, current()),
  );

  const throwIfAborted = (): void => {
    if (aborted) throw aborted;
  };
  return {
    throwIfAborted,
    untilResumed: async () => {
      await condition(() => !paused || aborted !== undefined);
      throwIfAborted();
    },
    retriesAsked: () => retriesAsked,
    untilRetried: async () => {
      const askedBefore = retriesAsked;
      await condition(() => retriesAsked > askedBefore || aborted !== undefined);
      throwIfAborted();
    },
    untilRaised: async (isUsedUp) => {
      await condition(() => !isUsedUp() || aborted !== undefined);
      throwIfAborted();
    },
  };
}

function goesOnWith(experiment: string): string {
  return `\`colloquy set-budget ${experiment} …\` (the update \`setBudget\`) raises it and goes on.`;
}

/**
 * Takes an update, and a signal of the same name and arguments, because batch jobs and the Temporal UI's selection of many workflows
 * send signals only. A signal that cannot be followed is ignored, and the log has the reason.
 *
 * @param refuse throws when the update cannot be followed
 */
function takeBoth<Answer, Args extends unknown[]>(
  definition: UpdateDefinition<Answer, Args>,
  description: string,
  follow: (...args: Args) => Answer | Promise<Answer>,
  refuse: (...args: Args) => void,
): void {
  setHandler(definition, follow, { validator: refuse, description });
  setHandler(
    defineSignal<Args>(definition.name),
    async (...args: Args): Promise<void> => {
      try {
        refuse(...args);
        await follow(...args);
      } catch (error) {
        log.warn('a signal was ignored', { signal: definition.name, why: reasonOf(error) });
      }
    },
    { description: `${description} As the update of this name, but without an answer.` },
  );
}

/** Changes settings by an activity, one request after another, because each builds on the changes before it. */
function changesInTurn(experiment: string, current: () => Progress) {
  let asked = 0;
  let underWay = false;
  return async (settings: Readonly<Record<string, unknown>>) => {
    await condition(() => !underWay);
    underWay = true;
    try {
      const { iteration, phase, guard: { best = iteration } = {} } = current();
      asked += 1;
      const chosen = phase === 'distilling' && best !== iteration ? { ofDistilled: best } : {};
      const step = steps.changeConfig({ experiment, settings, iteration, phase, ...chosen }, asked);
      const { output: changes } = await step.begin();
      return { ...current(), changes };
    } catch (error) {
      throw ApplicationFailure.nonRetryable(reasonOf(error), 'Refused');
    } finally {
      underWay = false;
    }
  };
}

function refuseChange(settings: unknown, { phase }: Progress): void {
  refuseIf(
    typeof settings !== 'object' ||
      settings === null ||
      Array.isArray(settings) ||
      Object.keys(settings).length === 0,
    'Expected an object of settings with their new values, e.g. {"fine_tune.learning_rate": 0.0001}.',
  );
  refuseIf(phase === 'preparing', 'The experiment is still being prepared; try again in a moment.');
  refuseIf(phase === 'done', 'The experiment is over.');
}

/** For an update's validator: refuses the update, so that it leaves no trace in the history. @throws ApplicationFailure `Refused` */
export function refuseIf(refused: boolean, reason: string): void {
  if (refused) throw ApplicationFailure.nonRetryable(reason, 'Refused');
}

/** Characters. The reason of an abort is in the run's failure, which every list of runs shows. */
const longestReason = 10_000;
/** Of the update `abort`. @throws ApplicationFailure `Refused` when the reason is given and is not a text, or is too long */
export function refuseReason(reason: unknown): void {
  if (reason === undefined || reason === null) return;
  if (typeof reason !== 'string')
    return refuseIf(true, `The reason must be a text, not ${JSON.stringify(reason).slice(0, 200)}.`);
  refuseIf(
    reason.length > longestReason,
    `The reason has ${reason.length} characters; the experiment's failure can carry ${longestReason}. Give a shorter one.`,
  );
}

/** As in the config's schema: a run's state stays small enough to be carried. */
const mostIterations = 100;

/** Of the update `setIterations`. @throws ApplicationFailure `Refused` when that many iterations cannot be done any more */
export function refuseIterations(
  iterations: number,
  { phase, iteration, learns, finishing = false }: Progress,
): void {
  refuseIf(
    !Number.isInteger(iterations),
    `iterations must be a whole number, not ${JSON.stringify(iterations)}.`,
  );
  refuseIf(iterations > mostIterations, `iterations must be at most ${mostIterations}.`);
  refuseIf(
    !learns && iterations > 0,
    'Nothing can be fine-tuned in this experiment (by its method, or as its endpoint serves no fine-tuned models): it has no iterations.',
  );
  refuseIf(phase === 'preparing', 'The experiment is still being prepared; try again in a moment.');
  refuseIf(
    finishing || phase === 'distilling' || phase === 'reporting' || phase === 'done',
    'The last iteration is over; start the experiment again.',
  );
  const least = Math.max(1, iteration);
  refuseIf(iterations < least, `Iteration ${iteration} is under way: iterations must be at least ${least}.`);
}

/** Why limits cannot be set; undefined when they can. */
export function limitsFault(given: unknown, { budget }: Pick<Progress, 'budget'>): string | undefined {
  if (budget === undefined)
    return 'The experiment was started without a budget, so what it has used was not counted. Pause it, or end it and start it again with `budget` in its config.';
  if (typeof given !== 'object' || given === null || Array.isArray(given) || Object.keys(given).length === 0)
    return `Expected an object of limits, e.g. {"tokens": 2000000}, not ${shortJson(given)}.`;
  for (const [kind, value] of Object.entries(given)) {
    const known = budgetKinds.find((each) => each === kind);
    if (known === undefined)
      return `${JSON.stringify(kind)} is no limit of a budget: expected ${listed([...budgetKinds])}.`;
    if (value === null) continue;
    if (typeof value !== 'number' || !(value > 0) || !Number.isSafeInteger(Math.ceil(value)))
      return `${kind} must be a number above 0, or null for no limit, not ${shortJson(value)}.`;
    if (value <= budget.used[known])
      return `${kind} must be above the ${amountText(known, budget.used[known])} that are used, not ${value}. To stop the experiment for a while, pause it.`;
  }
  return undefined;
}

function shortJson(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 200);
}
