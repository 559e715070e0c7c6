import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { StudyResult } from '../store/study-result.ts';
import type { StudyProgress } from '../workflows/study-progress.ts';
import { studyProgressQuery } from '../workflows/study-progress.ts';
import type { study } from '../workflows/study.ts';
import type { Temporal } from './connect.ts';
import type { Display } from './display.ts';
import { ExperimentNotFound } from './experiment-not-found.ts';
import { whereText } from './progress-text.ts';
import { readSnapshot } from './snapshot.ts';

/** How following a study ended. */
export type StudyEnding =
  | { readonly kind: 'finished'; readonly result: StudyResult }
  | { readonly kind: 'failed'; readonly type: string; readonly reason: string }
  /** The signal was aborted. */
  | { readonly kind: 'detached' };

type Options = { readonly display: Display; readonly signal: AbortSignal };

/** Says what begins, ends and waits for a person in a study, until it ends or the signal is aborted. */
export async function followStudy(
  temporal: Temporal,
  name: string,
  { display, signal }: Options,
): Promise<StudyEnding> {
  const handle = temporal.client.workflow.getHandle<typeof study>(name);
  const told = new Map<string, string>();
  const say = (about: string, line: string): void => {
    if (told.get(about) !== line) display.say(line);
    told.set(about, line);
  };
  while (!signal.aborted) {
    const progress = await studyProgress(temporal, name);
    if (progress !== null && progress.cells.length > 0)
      for (const { about, line } of await newsOf(temporal, progress)) say(about, line);
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING' && status.name !== 'CONTINUED_AS_NEW') return endingOf(handle);
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

async function newsOf(
  temporal: Temporal,
  { cells }: StudyProgress,
): Promise<{ about: string; line: string }[]> {
  const finished = cells.filter(({ state }) => state === 'finished').length;
  const running = cells.filter(({ state }) => state === 'running' || state === 'elsewhere');
  const lines = await Promise.all(
    running.map(async ({ name }) => ({ about: name, line: `${name}: ${await whereItIs(temporal, name)}` })),
  );
  return [
    { about: 'all', line: `${finished} of ${cells.length} experiments finished` },
    ...cells.flatMap(({ name, state, reason }) =>
      state === 'failed' ? [{ about: name, line: `${name} failed: ${reason ?? ''}` }] : [],
    ),
    ...lines,
  ];
}

async function whereItIs(temporal: Temporal, name: string): Promise<string> {
  try {
    const { progress } = await readSnapshot(temporal, name);
    if (progress === null) return 'begins';
    const [waiting] = progress.waiting;
    if (waiting !== undefined) return `waits for you: ${waiting.step}: ${waiting.reason}`;
    return whereText(progress);
  } catch (error) {
    // Not begun yet.
    if (error instanceof ExperimentNotFound) return 'begins';
    throw error;
  }
}

async function endingOf(handle: { result(): Promise<StudyResult> }): Promise<StudyEnding> {
  try {
    return { kind: 'finished', result: await handle.result() };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    const type = cause instanceof ApplicationFailure ? (cause.type ?? 'Error') : (cause?.name ?? 'Failed');
    return { kind: 'failed', type, reason: cause?.message || error.message };
  }
}
