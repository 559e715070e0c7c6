/** How far a running experiment is, steps in flight included, and what is new about it. */
import { counted, evaluationName, percent, splitPlace } from '../../text/figures.ts';
import { shellWord, terminalSafe } from '../../text/safe-text.ts';
import { phaseName, progressTable } from '../../workflows/progress-table.ts';
import {
  type Loss,
  type Progress,
  type ProgressAnswer,
  progressQuery,
  secondsWorked,
  waitingSteps,
} from '../../workflows/progress.ts';
import { byCause, causeOf, timeText } from '../../workflows/waiting-notes.ts';
import type { Client, WorkflowExecutionStatusName } from '@temporalio/client';
import { timeoutText } from '../../workflows/temporal.ts';
import type { Temporal } from '../server/connect.ts';
import { describe, type Queues } from '../server/workflow.ts';
import { fineTuneWaitText, queuedJobText, type Heartbeat, type Shown, shownBy } from './heartbeat.ts';

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
export function waitsFor(progress: Progress): WaitsFor | undefined {
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

/** What lets a step go on that an operator has paused. */
export function unpauseCommand(experiment: string, id: string): string {
  return `temporal activity unpause -w ${shellWord(experiment)} -a ${shellWord(id)}`;
}

/** The state of an experiment at one moment. */
export type Snapshot = {
  readonly status: WorkflowExecutionStatusName;
  /** Null when no worker answered in time. */
  readonly progress: Progress | null;
  readonly pending: readonly PendingActivity[];
  readonly startedAt: Date;
  readonly queues: Queues;
};

/** A step in flight. */
export type PendingActivity = Shown & {
  readonly id: string;
  /** The step in words; its id where the experiment gives no answer. */
  readonly words: string;
  readonly attempt: number;
  /** Why the previous attempt failed, safe to print. */
  readonly lastFailure: string | undefined;
  /** Set while the step waits for its next attempt. */
  readonly nextAttemptAt: Date | undefined;
  /** Who paused it and why, safe to print, when an operator has paused it (`temporal activity pause`). */
  readonly pausedBy?: string;
};

/**
 * Asks the server for the state and the steps in flight, and the experiment's worker for its progress.
 *
 * @throws ExperimentNotFound
 */
export async function readSnapshot(temporal: Temporal, name: string): Promise<Snapshot> {
  const [description, progress] = await Promise.all([
    describe(temporal, name),
    readProgress(temporal.client, name),
  ]);
  return {
    status: description.status.name,
    progress,
    startedAt: description.startTime,
    queues: {
      workflow: description.taskQueue,
      steps: (description.raw.pendingActivities ?? []).flatMap(({ state, activityOptions }) =>
        Number(state) === scheduled && activityOptions?.taskQueue?.name
          ? [activityOptions.taskQueue.name]
          : [],
      ),
    },
    pending: (description.raw.pendingActivities ?? []).map((activity) => ({
      id: activity.activityId ?? '',
      words: progress?.steps.find(({ id }) => id === activity.activityId)?.words ?? activity.activityId ?? '',
      attempt: activity.attempt ?? 1,
      lastFailure: activity.lastFailure ? failureText(activity.lastFailure) : undefined,
      nextAttemptAt: dateOf(activity.nextAttemptScheduleTime),
      ...shownBy(activity.heartbeatDetails?.payloads?.[0]),
      ...(activity.paused === true ? { pausedBy: operatorOf(activity.pauseInfo) } : {}),
    })),
  };
}

/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED */
const scheduled = 1;

type PauseRecord = {
  readonly manual?: { readonly identity?: string | null; readonly reason?: string | null } | null;
};

function operatorOf(pause: PauseRecord | null | undefined): string {
  const { identity, reason } = pause?.manual ?? {};
  return terminalSafe(`${identity || 'an operator'}${reason ? `: ${reason}` : ''}`);
}

/** The experiment's answer to the query for its progress; null when no worker answers within 3 s. */
export async function readProgress(client: Client, name: string): Promise<ProgressAnswer | null> {
  try {
    return await client.withDeadline(Date.now() + 3_000, () =>
      client.workflow.getHandle(name).query(progressQuery),
    );
  } catch {
    // No worker, a busy one, or no experiment of this name: `describe` finds out which.
    return null;
  }
}

function dateOf(time: { readonly seconds?: unknown } | null | undefined): Date | undefined {
  const seconds = Number(time?.seconds ?? 0);
  return seconds > 0 ? new Date(seconds * 1000) : undefined;
}

/** The parts of the server's failure record that people see. */
type FailureRecord = {
  readonly message?: string | null;
  readonly applicationFailureInfo?: { readonly type?: string | null } | null;
  readonly timeoutFailureInfo?: { readonly timeoutType?: number | null } | null;
};

/** Why an attempt failed, in one line: `EngineUnreachable: http://... (ECONNREFUSED)`. */
export function failureText({ message, applicationFailureInfo, timeoutFailureInfo }: FailureRecord): string {
  if (timeoutFailureInfo)
    return timeoutText(timeoutFailureInfo.timeoutType === heartbeat ? 'HEARTBEAT' : 'START_TO_CLOSE');
  const type = applicationFailureInfo?.type;
  const words = terminalSafe(message ?? 'no reason given').replace(/\s+/g, ' ');
  return `${type ? `${type}: ` : ''}${words.length > longest ? `${words.slice(0, longest)}…` : words}`;
}

const longest = 400;
/** temporal.api.enums.v1.TimeoutType.TIMEOUT_TYPE_HEARTBEAT */
const heartbeat = 4;
