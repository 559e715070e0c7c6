import { type ExitCode, exitCodes } from '../../errors.ts';
import { duration, splitPlace } from '../../text/figures.ts';
import { terminalSafe } from '../../text/terminal-safe.ts';
import { progressTable } from '../../workflows/progress-table.ts';
import { stepText, timeText, waitingNotes } from '../../workflows/waiting-notes.ts';
import { resultTable } from '../result-table.ts';
import { endingOf, noteText } from './follow.ts';
import type { Temporal } from '../server/connect.ts';
import { unservedQueues } from '../server/workflow.ts';
import { colours, printJson, wantsColours, warningsText } from '../terminal.ts';
import { fineTuneText, liveProgress, unpauseCommand } from './progress.ts';
import { type PendingActivity, readSnapshot, type Snapshot } from './snapshot.ts';

/** Prints the state of an experiment; returns the matching exit code. @throws ExperimentNotFound */
export async function printExperimentStatus(
  temporal: Temporal,
  name: string,
  json: boolean,
): Promise<ExitCode> {
  const snapshot = await readSnapshot(temporal, name);
  const { status, progress } = snapshot;
  const ending = endedWithoutResult(snapshot) ? await endingOf(temporal, name) : undefined;
  const failure = ending?.kind === 'failed' ? { type: ending.type, reason: ending.reason } : undefined;
  if (json) printJson({ name, ...snapshot, ...(failure === undefined ? {} : { failure }) });
  else {
    printSnapshot(name, snapshot);
    if (failure !== undefined) console.log(failureLine(failure));
    if (status === 'RUNNING')
      for (const hint of await unservedQueues(temporal, name, snapshot.queues)) console.log(`\n${hint}`);
  }
  const paused = snapshot.pending.some(({ pausedBy }) => pausedBy !== undefined);
  const waits = status === 'RUNNING' && (progress?.state === 'parked' || paused);
  return waits ? exitCodes.waitsForPerson : exitCodes.ok;
}

function endedWithoutResult({ status }: Snapshot): boolean {
  return ['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'].includes(status);
}

/** The reason of an abort begins with its type. */
function failureLine({ type, reason }: { readonly type: string; readonly reason: string }): string {
  return terminalSafe(reason.startsWith(type) ? reason : `${type}: ${reason}`);
}

function printSnapshot(name: string, snapshot: Snapshot): void {
  const { bold } = colours();
  const { status, progress } = snapshot;
  const running = status === 'RUNNING';
  console.log(`${bold(name)}: ${running && progress !== null ? progress.state : status.toLowerCase()}`);
  if (progress === null) return;
  if (running)
    console.log(statusText({ ...snapshot, progress }, { now: Date.now(), colours: wantsColours() }));
  else if (progress.evaluations.length > 0)
    console.log(resultTable(progress.evaluations, { colours: wantsColours() }));
  if (!running && progress.night !== undefined) console.log(progress.night);
  if (!running) for (const text of warningsText(progress.warnings)) console.log(`\n${text}`);
}

/**
 * The state of a running experiment in words: the table that the Temporal UI shows too, what waits for a person, the steps in
 * flight, and the results so far.
 *
 * @param now milliseconds
 */
export function statusText(
  snapshot: Pick<Snapshot, 'pending'> & { readonly progress: NonNullable<Snapshot['progress']> },
  { now, colours }: { now: number; colours: boolean },
): string {
  const progress = liveProgress(snapshot.progress, snapshot.pending, now);
  const paused = snapshot.pending.filter(({ pausedBy }) => pausedBy !== undefined);
  const rows = Object.entries({ ...progressTable(progress), ...pausedRows(progress.experiment, paused) });
  const width = Math.max(...rows.map(([what]) => what.length));
  return [
    rows.map(([what, text]) => `  ${what.padEnd(width)}  ${text}`).join('\n'),
    ...waitingNotes(progress).map(noteText),
    ...(paused.length === 0 ? [] : [pausedText(progress.experiment, paused)]),
    ...inFlightText(
      snapshot.pending.filter((step) => !paused.includes(step)),
      now,
    ),
    ...warningsText(progress.warnings),
    ...(progress.evaluations.length > 0 ? [resultTable(progress.evaluations, { colours })] : []),
  ].join('\n\n');
}

/** A workflow cannot see that one of its activities is paused: only the server knows it. */
function pausedRows(experiment: string, paused: readonly PendingActivity[]): Record<string, string> {
  const [first] = paused;
  if (first === undefined) return {};
  const steps = paused.length === 1 ? 'a step is' : `${paused.length} steps are`;
  return {
    'waits for a person': `yes: ${steps} paused by an operator`,
    'what to do': unpauseCommand(experiment, first.id),
  };
}

function pausedText(experiment: string, paused: readonly PendingActivity[]): string {
  const lines = paused
    .slice(0, mostSteps)
    .flatMap((step) => [
      `${stepText(step)}, by ${step.pausedBy}`,
      `  ${unpauseCommand(experiment, step.id)}`,
    ]);
  const more = paused.length > mostSteps ? [`and ${paused.length - mostSteps} more`] : [];
  return [
    'Paused by an operator. The command lets each go on:',
    ...[...lines, ...more].map((line) => `  ${line}`),
  ].join('\n');
}

/** First the failing steps, with each reason once; then a few of the others. */
function inFlightText(pending: readonly PendingActivity[], now: number): string[] {
  if (pending.length === 0) return [];
  const failing = pending.filter(({ attempt }) => attempt > 1);
  // Each names its own request behind the reason, which they may share.
  const causeOf = ({ lastFailure }: PendingActivity): string => splitPlace(lastFailure ?? '').cause;
  const reasons = [...new Set(failing.map(causeOf))];
  const healthy = pending.filter(({ attempt }) => attempt === 1);
  const lines = [
    ...reasons.map((reason) =>
      failingText(
        failing.filter((each) => causeOf(each) === reason),
        now,
      ),
    ),
    ...healthy.slice(0, mostSteps).map((step) => [stepText(step), ...workText(step)].join('; ')),
    ...(healthy.length > mostSteps ? [`and ${healthy.length - mostSteps} more`] : []),
  ];
  return [['In flight:', ...lines.map((line) => `  ${line}`)].join('\n')];
}

const mostSteps = 10;

/** Steps whose last attempt failed for the same reason. */
function failingText(steps: readonly PendingActivity[], now: number): string {
  const [first] = steps;
  if (first === undefined) return '';
  const wait = first.nextAttemptAt === undefined ? 0 : (first.nextAttemptAt.getTime() - now) / 1000;
  return [
    `${stepText(first)}${steps.length > 1 ? ` and ${steps.length - 1} more` : ''}`,
    ...workText(first),
    `attempt ${first.attempt}${wait > 0 ? ` in ${duration(wait)}` : ''}`,
    ...(first.lastFailure === undefined ? [] : [`the one before failed: ${first.lastFailure}`]),
  ].join('; ');
}

function workText({ heartbeat, noAnswer }: PendingActivity): string[] {
  const work =
    heartbeat === undefined
      ? []
      : 'step' in heartbeat
        ? [fineTuneText(heartbeat)]
        : [`${heartbeat.answers} of ${heartbeat.total} answers`];
  if (noAnswer === undefined) return work;
  const { url, reason, since, until } = noAnswer;
  return [
    ...work,
    `no answer from ${terminalSafe(url)} since ${timeText(since)} (${terminalSafe(reason)}): it waits until ${timeText(until)}`,
  ];
}
