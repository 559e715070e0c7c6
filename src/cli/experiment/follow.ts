/** Follows an experiment until it ends or needs a person, and prints how that ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ExitCode, exitCodes } from '../../errors.ts';
import { isThere } from '../../store/blobs.ts';
import { type ExperimentResult, experimentResultSchema } from '../../store/records/result.ts';
import { experimentFiles, openStore } from '../../store/store.ts';
import { terminalSafe } from '../../text/terminal-safe.ts';
import type { Progress } from '../../workflows/progress.ts';
import { type Note, waitingNotes } from '../../workflows/waiting-notes.ts';
import type { Display } from '../display.ts';
import { resultTable } from '../result-table.ts';
import { type Temporal, tolerateOutages } from '../server/connect.ts';
import { type Failed, failureOf, hasEnded, unservedQueues } from '../server/workflow.ts';
import { printJson, shortPath, wantsColours, warningsText } from '../terminal.ts';
import { readSnapshot } from './snapshot.ts';

/** How following an experiment ended. */
export type Ending =
  | { readonly kind: 'finished'; readonly result: ExperimentResult }
  | Failed
  | { readonly kind: 'parked'; readonly progress: Progress }
  /** The signal was aborted; the experiment goes on. */
  | { readonly kind: 'detached' };

export type FollowOptions = {
  readonly display: Display;
  readonly signal: AbortSignal;
  /** Whether to say so when no worker runs, because this process does not start one itself. */
  readonly hintWorker: boolean;
};

/**
 * Shows an experiment's progress until it ends, parks, or the signal is aborted. Waits up to a minute for a server that goes away.
 *
 * @throws ExperimentNotFound, TemporalNotReachable
 */
export async function followExperiment(
  temporal: Temporal,
  name: string,
  { display, signal, hintWorker }: FollowOptions,
): Promise<Ending> {
  const read = tolerateOutages(temporal);
  let readsInVain = 0;
  const hinted = new Set<string>();
  while (!signal.aborted) {
    const snapshot = await read(() => readSnapshot(temporal, name));
    if (snapshot !== undefined) {
      const { status, progress, queues } = snapshot;
      display.show(snapshot);
      if (hasEnded(status)) return endingOf(temporal, name);
      if (progress?.state === 'parked') return { kind: 'parked', progress };
      readsInVain = progress === null || queues.steps.length > 0 ? readsInVain + 1 : 0;
      const looks = hintWorker && readsInVain % 20 === 3;
      const hints = looks ? await read(() => unservedQueues(temporal, name, queues)) : [];
      for (const hint of hints ?? []) {
        if (!hinted.has(hint)) display.say(hint);
        hinted.add(hint);
      }
    }
    await sleep(1_000, undefined, { signal }).catch(() => undefined);
  }
  return { kind: 'detached' };
}

/** How the latest run of an experiment ended; waits for its end. */
export async function endingOf(
  { client }: Temporal,
  name: string,
): Promise<Extract<Ending, { kind: 'finished' | 'failed' }>> {
  try {
    const result: unknown = await client.workflow.getHandle(name).result();
    return { kind: 'finished', result: experimentResultSchema.parse(result) };
  } catch (error) {
    return failureOf(error);
  }
}

export type EndingOptions = {
  readonly name: string;
  readonly json: boolean;
  /** The command line that comes back to the experiment or the study. */
  readonly comeBack: string;
};

/** Prints how an experiment ended and what can be done now; returns the matching exit code. */
export async function printEnding(
  ending: Ending,
  { name, json, comeBack }: EndingOptions,
): Promise<ExitCode> {
  switch (ending.kind) {
    case 'finished':
      if (json) printJson(ending.result);
      else await printResult(ending.result);
      return exitCodes.ok;
    case 'parked':
      if (json) printJson({ name, state: 'parked', waiting: ending.progress.waiting });
      console.error(`${name} waits for you.`);
      for (const note of waitingNotes(ending.progress)) console.error(`\n${noteText(note)}`);
      return exitCodes.waitsForPerson;
    case 'failed':
      return printFailure(ending, { name, json, comeBack });
    case 'detached':
    default:
      ending.kind satisfies 'detached';
      console.error(`Detached: ${name} goes on without this terminal. To come back:  ${comeBack}`);
      console.error(`To stop it for a while:  colloquy pause ${name}`);
      return exitCodes.interrupted;
  }
}

/** A note as text for a terminal. */
export function noteText({ says, quoted, commands }: Note): string {
  return [
    says,
    ...(quoted === undefined ? [] : quoted.split('\n').map((line) => `  | ${line}`)),
    ...(commands ?? []).map((line) => `  ${line}`),
  ].join('\n');
}

/** Prints why an experiment or a study failed and how to go on; returns the matching exit code. */
export function printFailure({ type, reason }: Failed, { name, json, comeBack }: EndingOptions): ExitCode {
  if (json) printJson({ name, state: 'failed', type, reason });
  console.error(`${name} failed (${type}): ${terminalSafe(reason)}`);
  if (type === 'InvalidConfig') return exitCodes.badUsage;
  console.error(`What is finished stays. To go on:  ${comeBack}`);
  return exitCodes.failed;
}

async function printResult(result: ExperimentResult): Promise<void> {
  const files = experimentFiles(openStore(), result.name);
  console.log(resultTable(result.evaluations, { colours: wantsColours() }));
  console.log('');
  if (result.night !== undefined) console.log(`${result.night.said}\n`);
  for (const text of warningsText(result.warnings)) console.log(`${text}\n`);
  if (!(await isThere(files.report)))
    return console.log('The report is in the store of the worker that made it.');
  console.log(`Report:   ${shortPath(files.report.where)}`);
  console.log(`Figures:  ${shortPath(files.result.where)}`);
}

/** Says that an experiment had finished before, and how to start afresh. */
export function sayFinishedBefore(display: Display, name: string, afresh: string): void {
  display.say(`${name} has finished already: this is its result. To start afresh:  ${afresh}`);
}
