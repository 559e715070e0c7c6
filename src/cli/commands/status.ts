/** `colloquy status`: what it prints of one experiment, and the list of all that the server knows. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExitCode, exitCodes, UsageError } from '../../errors.ts';
import { duration, percent, splitPlace } from '../../text/figures.ts';
import { experimentName } from '../arguments.ts';
import { command, jsonOption, setExitCode } from '../command.ts';
import { listAll, type Listed, liveProgress } from '../experiment/progress.ts';
import { type Temporal, tolerateOutages, withTemporal } from '../server/connect.ts';
import { describe, hasEnded, unservedQueues } from '../server/workflow.ts';
import { printStudyStatus } from '../study/follow.ts';
import {
  clearScreen,
  colours,
  interruptSignal,
  noteText,
  printJson,
  printTable,
  runbookEntriesOf,
  wantsColours,
  warningsText,
} from '../terminal.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { progressTable } from '../../workflows/progress-table.ts';
import { stepText, waitingNotes } from '../../workflows/waiting-notes.ts';
import { resultTable } from '../experiment/ending.ts';
import {
  type PendingActivity,
  readSnapshot,
  type Snapshot,
  unpauseCommand,
  workText,
} from '../experiment/snapshot.ts';
import { endingOf } from '../experiment/run.ts';
import { experimentFiles, openStore } from '../../store/store.ts';

/** `colloquy status [NAME]` */
export const status = command('status', [
  'colloquy status',
  'colloquy status --filter parked        # by name, kind or state',
  'colloquy status quickstart --watch     # refreshed until it ends or Ctrl-C',
  'colloquy status quickstart --json',
])
  .argument('[name]', 'the name of an experiment or a study (default: all)', experimentName)
  .option('--filter <text>', 'list only those whose name, kind or state contains this text (default: all)')
  .option('--watch', 'refresh every two seconds until it ends, or Ctrl-C')
  .addOption(jsonOption)
  .action((name, { filter, watch = false, json = false }) => {
    if (name !== undefined && filter !== undefined)
      throw new UsageError('--filter is for the list: it cannot be combined with a name.', 'status');
    const print = (temporal: Temporal): Promise<Printed> =>
      name === undefined ? printAll(temporal, filter, json) : printOne(temporal, name, json);
    return withTemporal(async (temporal) => {
      setExitCode(watch ? await again(temporal, print) : (await print(temporal)).code);
    });
  });

/** What was printed: its exit code, and whether it will not change any more. */
type Printed = { readonly code: ExitCode; readonly ended: boolean };

async function printAll(temporal: Temporal, filter: string | undefined, json: boolean): Promise<Printed> {
  const listed = await listAll(temporal, filter);
  if (json) printJson(listed);
  else if (listed.length > 0) printList(listed);
  else if (filter === undefined) console.log('No experiments yet. Start one: colloquy run quickstart');
  else console.log(`No experiment or study has "${filter}" in its name, kind or state.`);
  return { code: exitCodes.ok, ended: false };
}

async function printOne(temporal: Temporal, name: string, json: boolean): Promise<Printed> {
  const { type, status: state } = await describe(temporal, name);
  const print = type === 'study' ? printStudyStatus : printExperimentStatus;
  return { code: await print(temporal, name, json), ended: hasEnded(state.name) };
}

/** Prints every two seconds, on a cleared screen where there is one, until the end or Ctrl-C. */
async function again(temporal: Temporal, print: (temporal: Temporal) => Promise<Printed>): Promise<ExitCode> {
  const read = tolerateOutages(temporal);
  const { signal, dispose } = interruptSignal();
  try {
    for (;;) {
      clearScreen();
      const printed = await read(() => print(temporal));
      if (printed?.ended === true) return printed.code;
      await sleep(2_000, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return exitCodes.interrupted;
    }
  } finally {
    dispose();
  }
}

/** Prints the list as a table; the columns that matter least are left out where the terminal is narrow. */
function printList(listed: readonly Listed[]): void {
  printTable(
    ['experiment', 'state', 'accuracy', 'where', 'kind', 'latest run began', 'ended'],
    listed.map((each) => [
      each.name,
      each.status,
      each.accuracy === null ? '' : percent(each.accuracy),
      each.phase ?? '',
      each.kind,
      minuteOf(each.startedAt),
      minuteOf(each.closedAt),
    ]),
  );
}

function minuteOf(date: Date | undefined): string {
  return date?.toISOString().slice(0, 16).replace('T', ' ') ?? '';
}

/** Prints the state of an experiment; returns the matching exit code. @throws ExperimentNotFound */
async function printExperimentStatus(temporal: Temporal, name: string, json: boolean): Promise<ExitCode> {
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
