import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Plan } from '../activities/steps/prepare.ts';
import type { Agent } from '../algorithm/agents.ts';
import type { Budget } from '../algorithm/steering.ts';
import { guardCourse, type GuardFigures, guardSentence } from '../algorithm/guard.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Model } from '../store/models.ts';
import type { ConfigChange } from '../store/records/config-changes.ts';
import type { Warning } from '../store/records/result.ts';

export type Phase =
  | 'preparing'
  | 'evaluating'
  | 'debating'
  | 'building datasets'
  | 'fine-tuning'
  | 'distilling'
  | 'reporting'
  | 'done';

/** Where an experiment stands: the answer to the query `progress` and the source of its current details. */
export type Progress = {
  readonly experiment: string;
  /**
   * `pausing`: the steps in flight are saving what they have. `parked`: a step has used up its retries and the run waits for `retry`
   * or `abort`, or the budget is used up and the run waits for `setBudget`. `failed` and `cancelled`: over, without a result. `continued`: the run is over, and the next one of the chain goes on.
   */
  readonly state:
    | 'running'
    | 'pausing'
    | 'paused'
    | 'parked'
    | 'finished'
    | 'failed'
    | 'cancelled'
    | 'continued';
  readonly phase: Phase;
  /** 0 while the base model is evaluated. */
  readonly iteration: number;
  /** L */
  readonly iterations: number;
  /** Whether its method fine-tunes anything, so that there can be iterations. */
  readonly learns: boolean;
  /** The last iteration is over: no more can be added. */
  readonly finishing?: boolean;
  /** Steps of this phase (shards of questions, or models). */
  readonly done: number;
  readonly total: number;
  readonly unit: 'shards' | 'models' | 'steps';
  /** How many questions a phase of debates has in all, so that shards can be shown as questions. */
  readonly questions: number;
  /** ISO 8601, when the phase began. */
  readonly phaseStartedAt: string;
  /** How long this phase was worked on: a pause does not count, nor a wait for a person. Seconds. */
  readonly workedSeconds: number;
  /** ISO 8601, when all this was so: at the last change. */
  readonly at: string;
  /** Steps that are being done, or wait for a worker. */
  readonly inFlight: number;
  /** Attempts beyond the first of the steps that have ended, those by `retry` among them. */
  readonly retries: number;
  /** Of the newest fine-tune; null before the first. */
  readonly lastLoss: Loss | null;
  /** The rows that all fine-tunes so far left out, because they are longer than `max_length`. */
  readonly droppedRows: number;
  /** The steps that wait for a person, in plain words. */
  readonly waiting: readonly Waiting[];
  /** Of a night of a series: what it begins with, and at its end what became of it. */
  readonly night?: string | undefined;
  /** Of the one model that the group was distilled into, at the end: how it does beside the debate. */
  readonly distilled?: string | undefined;
  /** Of an experiment with a guard: what it has decided so far. */
  readonly guard?: GuardProgress | undefined;
  /** Of a finished experiment with `answer: auto`: how it answers. */
  readonly answer?: string | undefined;
  /** Only with a budget: what may be used and what was. */
  readonly budget?: Budget | undefined;
  /** Only while its study's budget is used up. */
  readonly held?: Held | undefined;
  /** First the base, then each iteration. */
  readonly evaluations: readonly Evaluation[];
  /** What makes the result worth less than it looks, as far as the experiment has come. */
  readonly warnings: readonly Warning[];
};
/** The iteration whose agents are the experiment's so far, and why. */
export type GuardProgress = {
  readonly best: number;
  readonly said: string;
  /** The iterations whose training is no part of those agents; only at the end. */
  readonly rolledBack?: readonly number[];
};

/** The budget of an experiment's study is used up. */
export type Held = {
  readonly study: string;
  /** What was used of what. */
  readonly says: string;
  /** The settings of `colloquy set-budget` with which the study goes on. */
  readonly settings: string;
};
/** From a study to its experiments: its budget is used up, or (null) no longer is. */
export const holdSignal = defineSignal<[held: Held | null]>('hold');

/** How a step of a workflow is called. */
export type StepName = {
  /** The activity's id: readable, and unique within a run. */
  readonly id: string;
  /** The step in words, for people: `the fine-tune of agent 2's critic model, iteration 1`. */
  readonly words: string;
};

/** A step that waits for a person. */
export type Waiting = {
  /** Its id. */
  readonly step: string;
  /** The step in words. */
  readonly words: string;
  readonly reason: string;
  /** ISO 8601 */
  readonly since: string;
};
/** The `step` of what waits because the budget is used up. */
export const budgetStep = 'budget';

export function waitsForBudget({ step }: Pick<Waiting, 'step'>): boolean {
  return step === budgetStep;
}

/** Those that wait for `retry`, and not for a larger budget. */
export function waitingSteps<Waits extends Pick<Waiting, 'step'>>(waiting: readonly Waits[]): Waits[] {
  return waiting.filter((each) => !waitsForBudget(each));
}

export type Loss = {
  readonly loss: number;
  readonly iteration: number;
  readonly agent: number;
  readonly role: string;
};

/** Where an experiment stands, in words: one line of plain text for each of these, safe for a terminal. */
export type ProgressTable = Readonly<
  Record<
    | 'state'
    | 'phase'
    | 'done'
    | 'rate'
    | 'time left'
    | 'last loss'
    | 'retries'
    | 'waits for a person'
    | 'what to do',
    string
  > & {
    /** Only of a night of a series. */
    readonly night?: string;
    /** Only of an experiment with `distill`, at its end. */
    readonly distilled?: string;
    /** Only with a guard. */
    readonly guard?: string;
    /** Only with `answer: auto`, at the end. */
    readonly answer?: string;
    /** Only with a budget. */
    readonly budget?: string;
  }
>;

/** What the query gives: the progress, the same in words, and the steps that are under way. */
export type ProgressAnswer = Progress & {
  readonly table: ProgressTable;
  readonly steps: readonly StepName[];
};
export const progressQuery = defineQuery<ProgressAnswer>('progress');
/** Stops after the steps in flight have saved what they have; `resume` goes on from there. */
export const pauseUpdate = defineUpdate<Progress>('pause');
export const resumeUpdate = defineUpdate<Progress>('resume');
/** Tries the parked steps again, and once more those under way that fail after it. */
export const retryUpdate = defineUpdate<Progress>('retry');
/** Ends a parked experiment as failed. What is finished stays; starting it again goes on from there. */
export const abortUpdate = defineUpdate<Progress, [reason: string]>('abort');
/** Sets L: not below the iteration under way. */
export const setIterationsUpdate = defineUpdate<Progress, [iterations: number]>('setIterations');
/** Sets limits of the budget: a number, or null for no limit. What is used up goes on once there is more. */
export const setBudgetUpdate = defineUpdate<Progress, [limits: Readonly<Record<string, number | null>>]>(
  'setBudget',
);
/** Changes settings that no finished work depends on: by paths (`fine_tune.learning_rate`) or as in a config. */
export const changeUpdate = defineUpdate<
  Progress & { readonly changes: readonly ConfigChange[] },
  [settings: Readonly<Record<string, unknown>>]
>('change');

export type BestAgents = { readonly iteration: number; readonly agents: readonly Agent<Model>[] };

/** What one run hands to the next: references and figures, never texts. */
export type ExperimentState = {
  readonly plan: Plan;
  /** The iteration that this run does; 0 is the evaluation of the base model. */
  readonly iteration: number;
  /** L, as the config or the last `setIterations` says. */
  readonly iterations: number;
  /** The agents as the iteration before left them. */
  readonly agents: readonly Agent<Model>[];
  readonly evaluations: readonly Evaluation[];
  /** With validation questions: what they show of the base and of each iteration. */
  readonly validations?: readonly GuardFigures[];
  /** With a guard: the best iteration so far, and its agents. */
  readonly best?: BestAgents;
  readonly budget?: Budget;
  readonly held?: Held;
  /** The guard has ended the experiment. */
  readonly stopped?: true;
  /** The chain of runs began again, to make what was damaged: once for an experiment. */
  readonly begunAnew?: true;
  /** What the progress goes on from. */
  readonly retries?: number;
  readonly lastLoss?: Loss | null;
  readonly droppedRows?: number;
  readonly warnings?: readonly Warning[];
};

/** The evaluation of the experiment's agents: the newest, or that of the best iteration by its guard; undefined before the first. */
export function standing({
  evaluations,
  guard,
}: Pick<Progress, 'evaluations' | 'guard'>): Evaluation | undefined {
  return evaluations.find(({ iteration }) => iteration === guard?.best) ?? evaluations.at(-1);
}

/** What the guard of an experiment has decided so far; undefined where it has none, or nothing is validated yet. */
export function guardProgress({ plan, validations = [] }: ExperimentState): GuardProgress | undefined {
  if (plan.guard === undefined || validations.length === 0) return undefined;
  const course = guardCourse(validations, plan.guard);
  return { best: course.best, said: guardSentence(course, plan.guard) };
}

/** The phases that use the device, as the costs in a report count them. */
export function usesDevice({ phase }: Pick<Progress, 'phase'>): boolean {
  return phase === 'evaluating' || phase === 'debating' || phase === 'fine-tuning' || phase === 'distilling';
}

/** Seconds from the last change until `now` (milliseconds) in which something was being done: none in a pause or while all waits for a person. */
export function secondsWorked({ state, inFlight, at }: Progress, now: number): number {
  const working = inFlight > 0 && (state === 'running' || state === 'parked');
  return working ? Math.max(0, (now - Date.parse(at)) / 1000) : 0;
}
