import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { StudyResult } from '../store/records/result.ts';
import { terminalSafe } from '../text/terminal-safe.ts';
import type { Waiting } from '../workflows/progress.ts';
import { type StudyProgress, studyProgressQuery } from '../workflows/study-progress.ts';
import type { study } from '../workflows/study.ts';
import type { Temporal } from './connect.ts';
import type { Display } from './display.ts';
import { failedBy } from './ending.ts';
import { ExperimentNotFound } from './experiment-not-found.ts';
import { patient } from './patient.ts';
import { whereText } from './progress-text.ts';
import { describe, hasEnded, readSnapshot } from './snapshot.ts';

/** How following a study ended. */
export type StudyEnding =
  | { readonly kind: 'finished'; readonly result: StudyResult }
  | { readonly kind: 'failed'; readonly type: string; readonly reason: string }
  /** All of its experiments that run wait for a person, so that no other can begin. */
  | { readonly kind: 'parked'; readonly waiting: readonly WaitingCell[] }
  /** The signal was aborted. */
  | { readonly kind: 'detached' };

/** A step of an experiment that waits for a person. */
export type WaitingCell = Waiting & { readonly experiment: string };

type Options = { readonly display: Display; readonly signal: AbortSignal };

/**
 * Says what begins, ends and waits for a person in a study, until it ends, stands still, or the signal is aborted. A server that goes away
 * is waited for, a minute.
 *
 * @throws ExperimentNotFound, TemporalNotReachable
 */
export async function followStudy(
  temporal: Temporal,
  name: string,
  { display, signal }: Options,
): Promise<StudyEnding> {
  const seen = patient(temporal);
  const told = new Map<string, string>();
  const say = (about: string, line: string): void => {
    if (told.get(about) !== line) display.say(terminalSafe(line));
    told.set(about, line);
  };
  let stoodStill = false;
  while (!signal.aborted) {
    const look = await seen(() => lookAt(temporal, name));
    if (look !== undefined) {
      for (const { about, line } of newsOf(look)) say(about, line);
      if (look.closed) return studyEndingOf(temporal, name);
      // Twice, as the study may be about to begin the next one.
      const standsStill = look.running.length > 0 && look.running.every(({ waiting }) => waiting.length > 0);
      if (standsStill && stoodStill) return { kind: 'parked', waiting: waitingIn(look) };
      stoodStill = standsStill;
    }
    await sleep(2_000, undefined, { signal }).catch(() => undefined);
  }
  return { kind: 'detached' };
}

/** Null when no worker answers in time. */
export async function studyProgress({ client }: Temporal, name: string): Promise<StudyProgress | null> {
  try {
    return await client.withDeadline(Date.now() + 3_000, () =>
      client.workflow.getHandle(name).query(studyProgressQuery),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw error;
    return null;
  }
}

/** How the latest run of a study ended; waits for its end. */
export async function studyEndingOf(
  { client }: Temporal,
  name: string,
): Promise<Extract<StudyEnding, { kind: 'finished' | 'failed' }>> {
  try {
    return { kind: 'finished', result: await client.workflow.getHandle<typeof study>(name).result() };
  } catch (error) {
    return failedBy(error);
  }
}

type Look = {
  readonly closed: boolean;
  readonly cells: StudyProgress['cells'];
  readonly running: readonly RunningCell[];
};
type RunningCell = {
  readonly name: string;
  readonly where: string;
  readonly waiting: readonly Waiting[];
};

async function lookAt(temporal: Temporal, name: string): Promise<Look> {
  const cells = (await studyProgress(temporal, name))?.cells ?? [];
  const running = cells.filter(({ state }) => state === 'running' || state === 'elsewhere');
  const { status } = await describe(temporal, name);
  return {
    closed: hasEnded(status.name),
    cells,
    running: await Promise.all(running.map((cell) => runningCell(temporal, cell.name))),
  };
}

async function runningCell(temporal: Temporal, name: string): Promise<RunningCell> {
  try {
    const { progress } = await readSnapshot(temporal, name);
    if (progress === null) return { name, where: 'begins', waiting: [] };
    return {
      name,
      where: whereText(progress),
      waiting: progress.state === 'parked' ? progress.waiting : [],
    };
  } catch (error) {
    // Not begun yet.
    if (error instanceof ExperimentNotFound) return { name, where: 'begins', waiting: [] };
    throw error;
  }
}

function newsOf({ cells, running }: Look): { about: string; line: string }[] {
  if (cells.length === 0) return [];
  const finished = cells.filter(({ state }) => state === 'finished').length;
  return [
    { about: 'all', line: `${finished} of ${cells.length} experiments finished` },
    ...cells.flatMap(({ name, state, reason }) =>
      state === 'failed' ? [{ about: name, line: `${name} failed: ${reason ?? ''}` }] : [],
    ),
    ...running.map(({ name, where, waiting: [first] }) => ({
      about: name,
      line: `${name}: ${first === undefined ? where : `waits for you: ${first.step}: ${first.reason}; when that is put right: colloquy retry ${name}`}`,
    })),
  ];
}

function waitingIn({ running }: Look): WaitingCell[] {
  return running.flatMap(({ name, waiting }) => waiting.map((each) => ({ experiment: name, ...each })));
}
