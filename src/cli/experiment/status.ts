/** What does `colloquy status` print: of one experiment, and of all that the server knows? */
import { type ExitCode, exitCodes } from '../../errors.ts';
import { duration, splitPlace } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { progressTable } from '../../workflows/progress-table.ts';
import { standing } from '../../workflows/progress.ts';
import { stepText, waitingNotes } from '../../workflows/waiting-notes.ts';
import { resultTable } from './ending.ts';
import { workText } from './heartbeat.ts';
import { endingOf } from './run.ts';
import type { Temporal } from '../server/connect.ts';
import { hasWorker, unservedQueues } from '../server/workflow.ts';
import { colours, noteText, printJson, runbookEntriesOf, wantsColours, warningsText } from '../terminal.ts';
import {
  liveProgress,
  type PendingActivity,
  readProgress,
  readSnapshot,
  type Snapshot,
  unpauseCommand,
  type WaitsFor,
  waitsFor,
  whereText,
} from './progress.ts';
import { isUnreadable } from '../../store/errors.ts';
import { readDocument } from '../../store/files/documents.ts';
import { experimentNameSchema } from '../../config/names.ts';
import { chosenIteration } from '../../algorithm/guard.ts';
import { experimentResultSchema } from '../../store/records/result.ts';
import { experimentFiles, openStore } from '../../store/store.ts';
import { searchAttributes } from '../../workflows/track-progress.ts';
import type { WorkflowExecutionInfo } from '@temporalio/client';

/** Prints the state of an experiment; returns the matching exit code. @throws ExperimentNotFound */
export async function printExperimentStatus(
  temporal: Temporal,
  name: string,
  json: boolean,
): Promise<ExitCode> {
  const snapshot = await readSnapshot(temporal, name);
  const { status, progress } = snapshot;
  const failure = await endedBy(temporal, name, snapshot);
  // Imported only here: it loads what speaks to trackers.
  const { trackersBehind } = await import('../../observe/trackers/track.ts');
  const behind = await trackersBehind(experimentFiles(openStore(), name));
  if (json)
    printJson({
      name,
      ...snapshot,
      ...(failure === undefined ? {} : { failure }),
      ...(behind.length === 0 ? {} : { trackersBehind: behind }),
    });
  else {
    printSnapshot(name, snapshot);
    if (failure !== undefined) console.log(failureLine(failure));
    for (const said of behind) console.log(`\n${terminalSafe(said)}`);
    if (status === 'RUNNING')
      for (const hint of await unservedQueues(temporal, name, snapshot.queues)) console.log(`\n${hint}`);
  }
  const paused = snapshot.pending.some(({ pausedBy }) => pausedBy !== undefined);
  const waits = status === 'RUNNING' && (progress?.state === 'parked' || paused);
  return waits ? exitCodes.waitsForPerson : exitCodes.ok;
}

type EndedBy = { readonly type: string; readonly reason: string };

/** Why an experiment ended without a result; undefined when it did not. */
export async function endedBy(
  temporal: Temporal,
  name: string,
  { status }: Pick<Snapshot, 'status'>,
): Promise<EndedBy | undefined> {
  if (!['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'].includes(status)) return undefined;
  const ending = await endingOf(temporal, name);
  return ending.kind === 'failed' ? { type: ending.type, reason: ending.reason } : undefined;
}

/** The reason of an abort begins with its type. */
export function failureLine({ type, reason }: EndedBy): string {
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
    console.log(resultTable(progress.evaluations, { colours: wantsColours() }, progress.guard?.rolledBack));
  const { night, guard, answer, distilled } = progress;
  if (!running)
    for (const said of [night, guard?.said, answer, distilled && `Distilled: ${distilled}`])
      if (said !== undefined) console.log(said);
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
  const runbook = runbookEntriesOf(progress);
  return [
    rows.map(([what, text]) => `  ${what.padEnd(width)}  ${text}`).join('\n'),
    ...waitingNotes(progress).map(noteText),
    ...(runbook.length === 0 ? [] : [runbook.join('\n')]),
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

function inFlightText(pending: readonly PendingActivity[], now: number): string[] {
  if (pending.length === 0) return [];
  return [['In flight:', ...inFlightLines(pending, now).map((line) => `  ${line}`)].join('\n')];
}

/** The steps in flight: first the failing ones, with each reason once; then a few of the others. @param now milliseconds */
export function inFlightLines(pending: readonly PendingActivity[], now: number): string[] {
  const failing = pending.filter(({ attempt }) => attempt > 1);
  // Each names its own request behind the reason, which they may share.
  const causeOf = ({ lastFailure }: PendingActivity): string => splitPlace(lastFailure ?? '').cause;
  const reasons = [...new Set(failing.map(causeOf))];
  const healthy = pending.filter(({ attempt }) => attempt === 1);
  return [
    ...reasons.map((reason) =>
      failingText(
        failing.filter((each) => causeOf(each) === reason),
        now,
      ),
    ),
    ...healthy.slice(0, mostSteps).map((step) => [stepText(step), ...workText(step)].join('; ')),
    ...(healthy.length > mostSteps ? [`and ${healthy.length - mostSteps} more`] : []),
  ];
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
