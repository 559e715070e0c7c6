/** How far is an experiment, with its steps in flight, and what is new about it? And how far are all experiments and studies of the server? */
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { counted, evaluationName, percent, splitPlace } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { phaseName, progressTable } from '../../workflows/progress-table.ts';
import { type Loss, type Progress, secondsWorked, standing, waitingSteps } from '../../workflows/progress.ts';
import { byCause, causeOf, timeText } from '../../workflows/waiting-notes.ts';
import type { Temporal } from '../server/connect.ts';
import { hasWorker } from '../server/workflow.ts';
import {
  fineTuneWaitText,
  type Heartbeat,
  type PendingActivity,
  queuedJobText,
  readProgress,
  type Snapshot,
  unpauseCommand,
} from './snapshot.ts';
import { isUnreadable } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { chosenIteration } from '../../algorithm/guard.ts';
import { experimentResultSchema } from '../../store/records/result.ts';
import { experimentFiles, openStore } from '../../store/store.ts';
import { searchAttributes } from '../../workflows/track-progress.ts';

/**
 * The experiment's own progress together with what the server knows about the steps in flight: how far each is, its attempts, the
 * loss of a running fine-tune. The experiment itself learns these only when a step ends.
 *
 * @param now milliseconds
 */
export function liveProgress(progress: Progress, pending: readonly PendingActivity[], now: number): Progress {
  return {
    ...progress,
    done: stepsDone(progress, pending),
    workedSeconds: progress.workedSeconds + secondsWorked(progress, now),
    retries: progress.retries + pending.reduce((sum, { attempt }) => sum + attempt - 1, 0),
    lastLoss: pending.map(lossOf).find((loss) => loss !== undefined) ?? progress.lastLoss,
  };
}

/** Steps of the current phase that are done, those in flight as fractions: their heartbeats say how far they are. */
function stepsDone({ done, total }: Progress, pending: readonly PendingActivity[]): number {
  const inFlight = pending.reduce((sum, { heartbeat }) => sum + fractionOf(heartbeat), 0);
  return Math.min(total, done + inFlight);
}

function fractionOf(heartbeat: Heartbeat | undefined): number {
  if (heartbeat === undefined) return 0;
  const [done, total] =
    'answers' in heartbeat ? [heartbeat.answers, heartbeat.total] : [heartbeat.step, heartbeat.totalSteps];
  // Less than 1, because the step is not counted as done yet.
  return total > 0 ? Math.min(0.99, done / total) : 0;
}

function lossOf({ heartbeat }: PendingActivity): Loss | undefined {
  if (heartbeat === undefined || !('step' in heartbeat) || heartbeat.loss === null) return undefined;
  const { loss, iteration, agent, role } = heartbeat;
  return { loss, iteration, agent, role };
}

/** Where an experiment is, and its state unless it runs: `iteration 2 of 3: debating (paused)`. */
export function whereText(progress: Progress): string {
  const { phase, state } = progress;
  const shown = state !== 'running' && phase !== 'preparing' && phase !== 'done';
  return `${phaseName(progress)}${shown ? ` (${state})` : ''}`;
}

/** The same where there is little room: `2/3: debating`. */
export function shortWhereText({ phase, state, iteration, iterations }: Progress): string {
  if (phase === 'preparing' || phase === 'done') return phase;
  const where = `${iteration === 0 ? 'base' : `${iteration}/${iterations}`}: ${phase}`;
  return state === 'running' ? where : `${where} (${state})`;
}

/** Why an experiment waits for a person, and the command that helps. */
export type WaitsFor = { readonly why: string; readonly command: string };

/** Undefined when it does not wait. */
function waitsFor(progress: Progress): WaitsFor | undefined {
  const { state, waiting } = progress;
  if (state !== 'paused' && waiting.length === 0) return undefined;
  const table = progressTable(progress);
  const [first] = waitingSteps(waiting);
  const cause = first === undefined ? '' : `: ${splitPlace(first.reason).cause.split('\n')[0]}`;
  return {
    why: `${table['waits for a person'].replace(/^yes: /, '')}${terminalSafe(cause)}`,
    command: table['what to do'].replace(/^.*?: /, ''),
  };
}

/**
 * Finds what deserves a line of its own in one snapshot after another, each thing once: evaluations, steps that had to be tried
 * again, warnings, a pause. A snapshot without progress, because no worker answered, changes nothing.
 */
export function createNews(): (snapshot: Pick<Snapshot, 'progress' | 'pending'>) => string[] {
  const reported = new Set<string>();
  let wasPaused = false;
  const isNew = (key: string): boolean => !reported.has(key) && reported.add(key).has(key);
  return ({ progress, pending }) => {
    const evaluations =
      progress?.evaluations.filter(({ iteration }) => isNew(`evaluation ${iteration}`)) ?? [];
    // A stopped worker is not a failure of the step. Steps that fail for one reason have one line for each of their attempts.
    const failed = pending.filter(
      ({ attempt, lastFailure }) => attempt > 1 && !lastFailure?.startsWith('WorkerShutdown'),
    );
    const triedAgain = byCause(
      failed.map((each) => ({ ...each, reason: each.lastFailure ?? each.id })),
    ).flatMap((steps) => {
      const attempt = Math.max(...steps.map((each) => each.attempt));
      const [first, ...others] = steps;
      const known = first === undefined || !isNew(`attempt ${attempt} ${causeOf(first.reason)}`);
      return known ? [] : [{ ...first, attempt, others: others.length }];
    });
    const silent = pending.flatMap(({ noAnswer }) => (noAnswer === undefined ? [] : [noAnswer]));
    const outages = silent.filter(({ url, since }) => isNew(`no answer ${url} ${since}`));
    const waiting = pending.filter(({ fineTuneHasDeviceSince: since }) => since !== undefined);
    const [firstWaiting] = waiting.filter(({ id }) => isNew(`${id} waits for a fine-tune`));
    const queued = pending.flatMap(({ id, waits }) =>
      waits !== undefined && isNew(`${id} ${waits.job} ${waits.state}`) ? [{ id, waits }] : [],
    );
    const guard = progress?.guard;
    const warned = progress?.warnings.filter(({ kind }) => isNew(`warning ${kind}`)) ?? [];
    const pausedNow = progress !== null && progress.state === 'paused' && !wasPaused;
    if (progress !== null) wasPaused = progress.state === 'paused';
    return [
      ...evaluations.map(
        ({ iteration, single, majority, debate }) =>
          `${evaluationName(iteration)}: single ${percent(single.accuracy)}, majority ${percent(majority.accuracy)}, ` +
          `debate ${percent(debate.accuracy)} (± ${(debate.standardError * 100).toFixed(1)})`,
      ),
      ...(guard !== undefined && isNew(`guard ${guard.said}`) ? [`Guard: ${guard.said}`] : []),
      ...triedAgain.map(
        ({ id, attempt, lastFailure, others }) =>
          `${id}${others > 0 ? ` and ${others} more` : ''}: attempt ${attempt}, because: ` +
          terminalSafe(firstLine(lastFailure ?? 'the worker went away')),
      ),
      ...outages.map(({ url, reason, since, until }) => {
        const waiting = silent.filter((each) => each.url === url && each.since === since);
        return (
          `No answer from ${terminalSafe(url)} since ${timeText(since)} (${terminalSafe(reason)}). What needs it waits until ` +
          `${timeText(until)} and goes on when it answers; now that is ${counted(waiting.length, 'step')}.`
        );
      }),
      ...(firstWaiting === undefined
        ? []
        : [`${namedSteps(waiting)}: ${fineTuneWaitText(firstWaiting.fineTuneHasDeviceSince ?? '')}`]),
      ...queued.map(({ id, waits }) => `${id}: ${queuedJobText(waits)}`),
      ...warned.map(({ says }) => `Warning: ${terminalSafe(says)}`),
      ...pending
        .filter(({ id, pausedBy }) => pausedBy !== undefined && isNew(`${id} is paused`))
        .map(
          ({ id, pausedBy }) =>
            `${id} was paused by ${pausedBy}. It waits for: ${unpauseCommand(progress?.experiment ?? 'NAME', id)}`,
        ),
      ...(pausedNow ? [`Paused. To go on: colloquy resume ${progress.experiment}`] : []),
    ];
  };
}

function namedSteps([first, ...others]: readonly PendingActivity[]): string {
  return `${first?.id ?? ''}${others.length > 0 ? ` and ${others.length} more` : ''}`;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

/** The latest run of an experiment or a study. */
export type Listed = {
  readonly name: string;
  readonly kind: string;
  readonly status: string;
  /** Where a running experiment is; null where that is not known. */
  readonly phase: string | null;
  /** The held-out accuracy of the newest debate, 0..1; null where that is not known. */
  readonly accuracy: number | null;
  /** Of a running experiment that waits for a person. */
  readonly waits?: WaitsFor | undefined;
  /** What a running experiment has used of its budget; absent without one. */
  readonly budget?: string | undefined;
  readonly startedAt: Date;
  readonly closedAt: Date | undefined;
};

/**
 * All experiments and studies, newest first.
 *
 * @param filter a text that the name, the kind or the state has to contain; all when it is undefined
 */
export async function listAll(temporal: Temporal, filter?: string): Promise<Listed[]> {
  const latest = await latestRuns(temporal);
  const answering = latest.some(isRunning) && (await hasWorker(temporal));
  const asked = new Set(latest.filter(isRunning).slice(0, answering ? mostAsked : 0));
  const listed = await Promise.all(
    latest.map(async (each) => ({ ...each, ...(await details(temporal, each, asked.has(each))) })),
  );
  return filter === undefined ? listed : listed.filter((each) => matches(each, filter));
}

/** Whether the name, the kind or the state contains a text, ignoring case. */
export function matches(
  { name, kind, status }: Pick<Listed, 'name' | 'kind' | 'status'>,
  text: string,
): boolean {
  return [name, kind, status].some((each) => each.toLowerCase().includes(text.toLowerCase()));
}

/** Only the newest are asked, because each query may take a worker a moment. */
const mostAsked = 50;

function isRunning({ kind, status }: Listed): boolean {
  return kind === 'experiment' && status === 'running';
}

async function latestRuns({ client }: Temporal): Promise<Listed[]> {
  const byName = new Map<string, Listed>();
  for await (const each of client.workflow.list({ query: `WorkflowType IN ('experiment', 'study')` })) {
    // The list is newest first, so the first row of a name is its latest run.
    if (byName.has(each.workflowId) || each.status.name === 'CONTINUED_AS_NEW') continue;
    byName.set(each.workflowId, {
      name: each.workflowId,
      kind: each.type,
      status: each.status.name.toLowerCase(),
      phase: null,
      accuracy: accuracyOnServer(each),
      startedAt: each.startTime,
      closedAt: each.closeTime,
    });
  }
  return [...byName.values()];
}

/** From the search attribute, or from the memo where search attributes are not set; null for a run that has neither. */
function accuracyOnServer({ typedSearchAttributes, memo }: WorkflowExecutionInfo): number | null {
  const noted: unknown = typedSearchAttributes.get(searchAttributes.accuracy) ?? memo?.['accuracy'];
  return typeof noted === 'number' ? noted : null;
}

/** The server shows a paused or parked experiment as running. Where a worker answers, the experiment's own state is shown instead. */
async function details(
  { client }: Temporal,
  { name, kind, status, accuracy }: Listed,
  ask: boolean,
): Promise<Partial<Listed>> {
  if (ask) {
    const progress = await readProgress(client, name);
    if (progress === null) return {};
    return {
      status: progress.state,
      phase: whereText(progress),
      accuracy: standing(progress)?.debate.accuracy ?? null,
      waits: waitsFor(progress),
      budget: progressTable(progress).budget,
    };
  }
  const unknown = kind === 'experiment' && status === 'completed' && accuracy === null;
  return unknown ? { accuracy: await finalAccuracy(name) } : {};
}

/** From the result in this store, where it has one: of a run that an earlier version made. */
async function finalAccuracy(name: string): Promise<number | null> {
  if (!experimentNameSchema.safeParse(name).success) return null;
  try {
    const result = await readDocument(experimentFiles(openStore(), name).result, experimentResultSchema);
    if (result === null) return null;
    const chosen = chosenIteration(result);
    return result.evaluations.find(({ iteration }) => iteration === chosen)?.debate.accuracy ?? null;
  } catch (error) {
    if (isUnreadable(error)) return null;
    throw error;
  }
}
