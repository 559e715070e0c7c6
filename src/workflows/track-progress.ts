/** The progress of a run, and where the server shows it: current details, search attributes, memo. */
import { defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  log,
  metricMeter,
  patched,
  setCurrentDetails,
  upsertMemo,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { About } from '../activities/steps/prepare.ts';
import { type Budget, withTime } from '../algorithm/steering.ts';
import { currentDetails } from './waiting-notes.ts';
import {
  type ExperimentState,
  guardProgress,
  type Progress,
  secondsWorked,
  type StepName,
  usesDevice,
  waitingSteps,
  waitsForBudget,
  standing,
} from './progress.ts';

/** The progress of a run. Each change is shown as the run's current details, which costs no event. */
export type ProgressTracker = {
  readonly current: () => Progress;
  readonly update: (changes: Changes) => Progress;
};
type Changes = Partial<Omit<Progress, 'experiment' | 'state' | 'at' | 'workedSeconds'>> & {
  readonly paused?: boolean;
  readonly ended?: 'failed' | 'cancelled' | 'continued';
  /** Whether the search attributes are set, from now on. */
  readonly searchable?: boolean;
  readonly about?: About | undefined;
  /** Whether the memo is set, now. */
  readonly described?: boolean;
};

/** Begins to track a run, from where the run before left off. */
export function trackProgress(experiment: string, carried: ExperimentState | undefined): ProgressTracker {
  let paused = false;
  let ended: Changes['ended'];
  let halted: string | undefined;
  let searchable = false;
  let about: About | undefined;
  // Not counted again when a history is replayed.
  const waits = metricMeter.createCounter(
    'colloquy_waits_for_person_total',
    '',
    'Times that an experiment began to wait for a person',
  );
  let progress: Progress = {
    experiment,
    state: 'running',
    phase: 'preparing',
    iteration: carried?.iteration ?? 0,
    iterations: carried?.iterations ?? 0,
    learns: (carried?.plan.learners.length ?? 1) > 0,
    done: 0,
    total: 1,
    unit: 'steps',
    questions: 0,
    phaseStartedAt: new Date().toISOString(),
    workedSeconds: 0,
    at: new Date().toISOString(),
    inFlight: 0,
    retries: carried?.retries ?? 0,
    lastLoss: carried?.lastLoss ?? null,
    droppedRows: carried?.droppedRows ?? 0,
    waiting: [],
    night: carried?.plan.night?.said,
    guard: carried === undefined ? undefined : guardProgress(carried),
    budget: carried?.budget,
    held: carried?.held,
    evaluations: carried?.evaluations ?? [],
    warnings: carried?.warnings ?? carried?.plan.warnings ?? [],
  };
  return {
    current: () => progress,
    update: ({
      paused: pausedNow = paused,
      ended: endedNow = ended,
      searchable: becomes = searchable,
      about: aboutNow = about,
      described = false,
      ...changes
    }) => {
      const newPhase = changes.phaseStartedAt !== undefined;
      const workedSeconds = newPhase ? 0 : progress.workedSeconds + secondsWorked(progress, Date.now());
      const budget = budgetNow({ ...progress, budget: changes.budget ?? progress.budget });
      paused = pausedNow;
      ended = endedNow;
      const changed = { ...progress, ...changes, budget, workedSeconds, at: new Date().toISOString() };
      const before = progress;
      progress = { ...changed, state: stateOf(changed, paused, ended) };
      if (newPhase) logPhase(progress);
      if (progress.state !== before.state) logState(progress);
      if (progress.state === 'parked' && before.state !== 'parked')
        waits.add(1, { experiment, why: progress.waiting.some(waitsForBudget) ? 'budget' : 'step' });
      const haltedBefore = halted;
      halted = haltedText(progress, paused);
      if (halted !== haltedBefore && patched('the memo says what a run waits for')) setHalted(halted);
      about = aboutNow;
      if (becomes) setSearchAttributes(searchable ? before : undefined, progress, about);
      if (described && about !== undefined) setMemo(about, progress);
      searchable = becomes;
      setCurrentDetails(currentDetails(progress));
      return progress;
    },
  };
}

/** The budget with the time that was worked since the last change; undefined where there is none. */
export function budgetNow(progress: Progress): Budget | undefined {
  const { budget } = progress;
  return budget && withTime(budget, secondsWorked(progress, Date.now()), usesDevice(progress));
}

function logPhase({ phase, iteration, total, unit }: Progress): void {
  log.info('phase began', { phase, iteration, [unit]: total });
}

function logState({ state, iteration, waiting }: Progress): void {
  const fields = { iteration, ...(waiting.length > 0 ? { waiting: waiting.map(({ step }) => step) } : {}) };
  log[state === 'parked' || state === 'failed' ? 'warn' : 'info'](`experiment ${state}`, fields);
}

function stateOf(
  { phase, waiting, inFlight }: Progress,
  paused: boolean,
  ended: Changes['ended'],
): Progress['state'] {
  if (ended !== undefined) return ended;
  if (phase === 'done') return 'finished';
  if (waiting.length > 0) return 'parked';
  if (paused) return inFlight > 0 ? 'pausing' : 'paused';
  return 'running';
}

/** What the run waits for. It changes with each step that ends while the run pauses, and with each that begins to wait for a person. */
function haltedText({ state, waiting, inFlight }: Progress, paused: boolean): string | undefined {
  if (state !== 'parked' && state !== 'pausing' && state !== 'paused') return undefined;
  const steps = waitingSteps(waiting).length;
  const texts = [
    ...(waiting.some(waitsForBudget) ? ['the budget is used up'] : []),
    ...(steps > 0 ? [`steps that wait for a person: ${steps}`] : []),
    ...(paused ? [inFlight > 0 ? `pausing, steps that are saving: ${inFlight}` : 'paused'] : []),
  ];
  return texts.join('; ');
}

/** The steps that are under way, each in a scope of its own, so that all of them can be stopped. */
export type StepsInFlight = {
  readonly begin: (step: StepName & { readonly tokens?: unknown }) => CancellationScope;
  readonly end: (scope: CancellationScope) => void;
  readonly count: () => number;
  readonly names: () => readonly StepName[];
  readonly stop: () => void;
  /** Stops those that ask or train models. */
  readonly stopCostly: () => void;
  /** Whether `stop` has stopped it, and not a cancellation of the run. */
  readonly wasStopped: (scope: CancellationScope) => boolean;
};

export function stepsInFlight(): StepsInFlight {
  const inFlight = new Map<CancellationScope, StepName>();
  const costly = new WeakSet<CancellationScope>();
  const stopped = new WeakSet<CancellationScope>();
  const stop = (scopes: readonly CancellationScope[]): void => {
    for (const scope of scopes) {
      stopped.add(scope);
      scope.cancel();
    }
  };
  return {
    begin: ({ id, words, tokens }) => {
      const scope = new CancellationScope();
      inFlight.set(scope, { id, words });
      if (tokens !== undefined) costly.add(scope);
      return scope;
    },
    end: (scope) => {
      inFlight.delete(scope);
    },
    count: () => inFlight.size,
    names: () => [...inFlight.values()],
    stop: () => stop([...inFlight.keys()]),
    stopCostly: () => stop([...inFlight.keys()].filter((scope) => costly.has(scope))),
    wasStopped: (scope) => stopped.has(scope),
  };
}

/** By these Temporal's lists of workflows can be searched, once they are registered: `temporal workflow list --query 'ColloquyState="parked"'`. */
export const searchAttributes = {
  state: defineSearchAttributeKey('ColloquyState', 'KEYWORD'),
  phase: defineSearchAttributeKey('ColloquyPhase', 'KEYWORD'),
  iteration: defineSearchAttributeKey('ColloquyIteration', 'INT'),
  method: defineSearchAttributeKey('ColloquyMethod', 'KEYWORD'),
  model: defineSearchAttributeKey('ColloquyModel', 'KEYWORD'),
  series: defineSearchAttributeKey('ColloquySeries', 'KEYWORD'),
  /** The newest accuracy of the debate on the held-out questions, from 0 to 1. */
  accuracy: defineSearchAttributeKey('ColloquyAccuracy', 'DOUBLE'),
} as const;

/**
 * Sets those that have changed; an event of the history. Where one is not registered, the server fails every attempt at it.
 *
 * @param about undefined for a run that an earlier version has begun: its history has no events for these
 */
function setSearchAttributes(before: Progress | undefined, now: Progress, about: About | undefined): void {
  const changed = (key: 'state' | 'phase' | 'iteration'): boolean => before?.[key] !== now[key];
  const measured =
    about !== undefined && accuracyOf(now) !== (before === undefined ? undefined : accuracyOf(before));
  if (!changed('state') && !changed('phase') && !changed('iteration') && !measured) return;
  const accuracy = accuracyOf(now);
  upsertSearchAttributes([
    { key: searchAttributes.state, value: now.state },
    { key: searchAttributes.phase, value: now.phase },
    { key: searchAttributes.iteration, value: now.iteration },
    ...(about === undefined || before !== undefined
      ? []
      : [
          { key: searchAttributes.method, value: about.method },
          { key: searchAttributes.model, value: about.model.slice(0, longestKeyword) },
          ...(about.series === undefined ? [] : [{ key: searchAttributes.series, value: about.series }]),
        ]),
    ...(measured && accuracy !== undefined ? [{ key: searchAttributes.accuracy, value: accuracy }] : []),
  ]);
}

/** Databases of Temporal's keep at most 255 characters. */
const longestKeyword = 200;

/** Writes the same facts into the memo, once in each run and at its end, for people and programs without search attributes. */
function setMemo(about: About, progress: Progress): void {
  const accuracy = accuracyOf(progress);
  upsertMemo({ ...about, ...(accuracy === undefined ? {} : { accuracy }) });
}

/**
 * Sets in the memo what a run waits for; undefined removes it.
 *
 * This is also the event that keeps such moments apart. A workflow task without commands leaves no trace of where it ended: a worker
 * that takes the run over reads it and the next task as one, and gives the workflow an update before the failures that came earlier.
 */
function setHalted(text: string | undefined): void {
  upsertMemo({ halted: text ?? null });
}

function accuracyOf(progress: Progress): number | undefined {
  return standing(progress)?.debate.accuracy;
}
