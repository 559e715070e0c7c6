/** Follows a study until it ends or needs a person, and prints how that ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import { usedUp } from '../../algorithm/steering.ts';
import { type ExitCode, exitCodes } from '../../errors.ts';
import { openStore, studyFiles } from '../../store/store.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { type Waiting, waitsForBudget } from '../../workflows/progress.ts';
import { raisedSettings, usedUpText } from '../../workflows/progress-table.ts';
import {
  type StudyBudget,
  studyBudgetText,
  type StudyProgress,
  studyProgressQuery,
} from '../../workflows/study-progress.ts';
import type { study } from '../../workflows/study.ts';
import { byCause } from '../../workflows/waiting-notes.ts';
import type { Display } from '../display.ts';
import { accuracyTablesText, type EndingOptions, printFailure } from '../experiment/ending.ts';
import { readProgress, readSnapshot } from '../experiment/snapshot.ts';
import { whereText } from '../experiment/progress.ts';
import { type Temporal, tolerateOutages } from '../server/connect.ts';
import {
  describe,
  ExperimentNotFound,
  type Failed,
  failureOf,
  hasEnded,
  NoWorker,
} from '../server/workflow.ts';
import { colours, printJson, printTable, shortPath } from '../terminal.ts';

/** How following a study ended. */
export type StudyEnding =
  | { readonly kind: 'finished'; readonly result: Awaited<ReturnType<typeof study>> }
  | Failed
  /** All of its running experiments wait for a person, so that no other can begin. */
  | {
      readonly kind: 'parked';
      readonly waiting: readonly WaitingStep[];
      readonly usedUp?: StudyBudget | undefined;
    }
  /** The signal was aborted. */
  | { readonly kind: 'detached' };

/** A step of one of the study's experiments that waits for a person. */
export type WaitingStep = Waiting & { readonly experiment: string };

/**
 * Says which experiments of a study begin, end and wait for a person, until the study ends, stands still, or the signal is aborted.
 * Waits up to a minute for a server that goes away.
 *
 * @throws ExperimentNotFound, TemporalNotReachable
 */
export async function followStudy(
  temporal: Temporal,
  name: string,
  { display, signal }: { readonly display: Display; readonly signal: AbortSignal },
): Promise<StudyEnding> {
  const read = tolerateOutages(temporal);
  const lastLines = new Map<string, string>();
  let stoodStill = false;
  while (!signal.aborted) {
    const state = await read(() => readStudy(temporal, name));
    if (state !== undefined) {
      for (const { about, line } of linesAbout(state)) {
        if (lastLines.get(about) !== line) display.say(terminalSafe(line));
        lastLines.set(about, line);
      }
      if (state.closed) return studyEndingOf(temporal, name);
      const { running, usedUp: total } = state;
      const standsStill =
        (running.length > 0 || total !== undefined) && running.every(({ waiting }) => waiting.length > 0);
      // Seen twice, because the study may be about to begin the next experiment.
      if (standsStill && stoodStill) return { kind: 'parked', waiting: waitingSteps(running), usedUp: total };
      stoodStill = standsStill;
    }
    await sleep(2_000, undefined, { signal }).catch(() => undefined);
  }
  return { kind: 'detached' };
}

/** The study's answer to the query for its progress; null when no worker answers within 3 s. */
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
    return failureOf(error);
  }
}

/** The state of a study at one moment. */
type StudyState = {
  readonly closed: boolean;
  readonly cells: StudyProgress['cells'];
  readonly running: readonly RunningExperiment[];
  /** The study's own budget, where it is used up. */
  readonly usedUp: StudyBudget | undefined;
};
type RunningExperiment = {
  readonly name: string;
  readonly where: string;
  readonly waiting: readonly Waiting[];
};

async function readStudy(temporal: Temporal, name: string): Promise<StudyState> {
  const { cells = [], budget } = (await studyProgress(temporal, name)) ?? {};
  const running = cells.filter(({ state }) => state === 'running' || state === 'elsewhere');
  const { status } = await describe(temporal, name);
  return {
    closed: hasEnded(status.name),
    cells,
    usedUp: budget !== undefined && usedUp(budget).length > 0 ? budget : undefined,
    running: await Promise.all(running.map((cell) => readRunning(temporal, cell.name))),
  };
}

async function readRunning(temporal: Temporal, name: string): Promise<RunningExperiment> {
  const begins = { name, where: 'begins', waiting: [] };
  try {
    const { progress } = await readSnapshot(temporal, name);
    if (progress === null) return begins;
    return {
      name,
      where: whereText(progress),
      waiting: progress.state === 'parked' ? progress.waiting : [],
    };
  } catch (error) {
    if (error instanceof ExperimentNotFound) return begins;
    throw error;
  }
}

/** The current line about the study and about each experiment that has something to say. */
function linesAbout({ cells, running, usedUp: total }: StudyState): { about: string; line: string }[] {
  if (cells.length === 0) return [];
  const finished = cells.filter(({ state }) => state === 'finished').length;
  return [
    { about: 'all', line: `${finished} of ${cells.length} experiments finished` },
    ...(total === undefined
      ? []
      : [{ about: 'budget', line: `the total budget is used up: ${usedUpText(total)}` }]),
    ...cells.flatMap(({ name, state, reason }) =>
      state === 'failed' ? [{ about: name, line: `${name} failed: ${reason ?? ''}` }] : [],
    ),
    ...running.map(({ name, where, waiting: [first] }) => ({
      about: name,
      line: `${name}: ${first === undefined ? where : `waits for you: ${first.step}: ${first.reason}; ${goesOnWith(name, first)}`}`,
    })),
  ];
}

/** Whether what waits does so because the study's own budget is used up. */
function ofStudy(waiting: Waiting, study: string): boolean {
  return waitsForBudget(waiting) && waiting.reason.startsWith(`BudgetUsedUp: of the study ${study}: `);
}

function goesOnWith(name: string, waiting: Waiting): string {
  return waitsForBudget(waiting)
    ? `to go on: colloquy set-budget ${name} …`
    : `when that is put right: colloquy retry ${name}`;
}

function waitingSteps(running: readonly RunningExperiment[]): WaitingStep[] {
  return running.flatMap(({ name, waiting }) => waiting.map((each) => ({ experiment: name, ...each })));
}

/**
 * Prints how a study ended and what can be done now; returns the matching exit code.
 *
 * @param goesOn whether the study goes on without this terminal, because another process runs its worker
 */
export async function printStudyEnding(
  ending: StudyEnding,
  { name, json, comeBack, goesOn }: EndingOptions & { readonly goesOn: boolean },
): Promise<ExitCode> {
  switch (ending.kind) {
    case 'finished': {
      const { finished, experiments, files } = ending.result;
      if (json) printJson(ending.result);
      else {
        console.log(`${name}: ${finished} of ${experiments} experiments finished\n`);
        const store = openStore();
        const columns = process.stdout.columns ?? Infinity;
        for (const table of await accuracyTablesText(store, name, files, columns)) console.log(`${table}\n`);
        console.log(`Report:  ${shortPath(studyFiles(store, name).report.where)}`);
        console.log(`Tables:  ${files.length} files beside it (CSV, JSON, Markdown, LaTeX)`);
      }
      return exitCodes.ok;
    }
    case 'failed':
      return printFailure(ending, { name, json, comeBack });
    case 'parked':
      if (json) printJson({ name, state: 'parked', waiting: ending.waiting, budget: ending.usedUp });
      console.error(`${name} waits for you, and cannot go on without:`);
      if (ending.usedUp !== undefined)
        console.error(
          `  a larger total budget: ${usedUpText(ending.usedUp)} are used. What was under way is saved`,
        );
      const own = ending.waiting.filter((each) => !ofStudy(each, name));
      for (const [first, ...others] of byCause(own)) {
        if (first === undefined) continue;
        const more = others.length === 0 ? '' : ` (and ${others.length} more for the same cause)`;
        console.error(`  ${first.experiment}: ${first.step}${more}: ${terminalSafe(first.reason)}`);
      }
      console.error('When that is put right:');
      if (ending.usedUp !== undefined)
        console.error(`  colloquy set-budget ${name} ${raisedSettings(ending.usedUp).join(' ')}`);
      for (const experiment of new Set(own.map((each) => each.experiment))) {
        const waiting = own.filter((each) => each.experiment === experiment);
        const command = waiting.some(waitsForBudget)
          ? `colloquy set-budget ${experiment} …`
          : `colloquy retry ${experiment}`;
        console.error(`  ${command}   (or give it up:  colloquy abort ${experiment})`);
      }
      if (!goesOn) console.error(`Its worker ran here and has stopped. To start one and go on:  ${comeBack}`);
      return exitCodes.waitsForPerson;
    case 'detached':
    default:
      ending.kind satisfies 'detached';
      console.error(
        goesOn
          ? `Detached: ${name} goes on without this terminal. To come back:  ${comeBack}`
          : `Stopped: its worker ran here. What is finished stays. To go on:  ${comeBack}`,
      );
      return exitCodes.interrupted;
  }
}

/** Prints the state of a study and of each of its experiments; returns the matching exit code. @throws NoWorker */
export async function printStudyStatus(temporal: Temporal, name: string, json: boolean): Promise<ExitCode> {
  const [progress, { status }] = await Promise.all([studyProgress(temporal, name), describe(temporal, name)]);
  if (progress === null) throw new NoWorker();
  // A terminated study had no chance to change its own state.
  const state =
    progress.state === 'running' && status.name !== 'RUNNING' ? status.name.toLowerCase() : progress.state;
  const cells = await Promise.all(
    progress.cells.map(async (cell) => ({ ...cell, ...(await placeOf(temporal, cell)) })),
  );
  const ending = ['failed', 'cancelled', 'terminated'].includes(state)
    ? await studyEndingOf(temporal, name)
    : undefined;
  const failure = ending?.kind === 'failed' ? { type: ending.type, reason: ending.reason } : undefined;
  if (json) printJson({ ...progress, state, cells, ...(failure === undefined ? {} : { failure }) });
  else {
    const finished = cells.filter((cell) => cell.state === 'finished').length;
    console.log(`${colours().bold(name)}: ${state}, ${finished} of ${cells.length} experiments finished`);
    printTable(
      ['experiment', 'method', 'seed', 'state', 'where'],
      cells.map((cell) => [
        cell.experiment,
        cell.variant ?? cell.method,
        String(cell.seed),
        cell.state,
        cell.where,
      ]),
    );
    if (progress.budget !== undefined) console.log(studyBudgetText(name, progress.budget));
    if (failure !== undefined) console.log(`${failure.type}: ${terminalSafe(failure.reason)}`);
    if (state !== 'running' && finished < cells.length)
      console.log('What is finished stays. The command that started the study runs the other experiments.');
  }
  return cells.some(({ waits }) => waits) ? exitCodes.waitsForPerson : exitCodes.ok;
}

/** Where an experiment of the study is, and whether it waits for a person. */
type Place = { readonly where: string; readonly waits: boolean };

async function placeOf(
  { client }: Temporal,
  { name, state, reason }: StudyProgress['cells'][number],
): Promise<Place> {
  if (reason !== undefined) return { where: terminalSafe(reason), waits: false };
  if (state !== 'running' && state !== 'elsewhere') return { where: '', waits: false };
  const progress = await readProgress(client, name);
  if (progress === null) return { where: '', waits: false };
  return progress.waiting.length === 0
    ? { where: whereText(progress), waits: false }
    : { where: `waits for you: colloquy status ${name}`, waits: true };
}
