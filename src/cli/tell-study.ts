import Table from 'cli-table3';
import { terminalSafe } from '../text/terminal-safe.ts';
import { colours, wantsColours } from './colours.ts';
import { describe, readSnapshot } from './snapshot.ts';
import type { Temporal } from './connect.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { studyEndingOf, studyProgress } from './follow-study.ts';
import { NoWorker } from './no-worker.ts';
import { printJson } from './print-json.ts';
import { whereText } from './progress-text.ts';

/** Says how a study stands: each of its experiments, and where those are that run. */
export async function tellStudy(temporal: Temporal, name: string, json: boolean): Promise<ExitCode> {
  const [progress, { status }] = await Promise.all([studyProgress(temporal, name), describe(temporal, name)]);
  if (progress === null) throw new NoWorker();
  // What was terminated had no chance to say so itself.
  const state =
    progress.state === 'running' && status.name !== 'RUNNING' ? status.name.toLowerCase() : progress.state;
  const cells = await Promise.all(
    progress.cells.map(async (cell) => ({ ...cell, ...(await whereIs(temporal, cell)) })),
  );
  const waits = cells.some(({ waits: waiting }) => waiting);
  const ending = ['failed', 'cancelled', 'terminated'].includes(state)
    ? await studyEndingOf(temporal, name)
    : undefined;
  const failure = ending?.kind === 'failed' ? { type: ending.type, reason: ending.reason } : undefined;
  if (json) printJson({ ...progress, state, cells, ...(failure === undefined ? {} : { failure }) });
  else {
    const finished = cells.filter(({ state }) => state === 'finished').length;
    console.log(`${colours().bold(name)}: ${state}, ${finished} of ${cells.length} experiments finished`);
    const table = new Table({
      head: ['experiment', 'method', 'seed', 'state', 'where'],
      style: { head: [], border: wantsColours() ? ['gray'] : [] },
    });
    for (const { experiment, method, seed, state, where } of cells)
      table.push([experiment, method, seed, state, where]);
    console.log(table.toString());
    if (failure !== undefined) console.log(`${failure.type}: ${terminalSafe(failure.reason)}`);
    if (state !== 'running' && finished < cells.length)
      console.log('What is finished stays: the command that started it runs the others.');
  }
  return waits ? exitCodes.waitsForPerson : exitCodes.ok;
}

type Place = { readonly where: string; readonly waits: boolean };

async function whereIs(
  temporal: Temporal,
  { name, state, reason }: { readonly name: string; readonly state: string; readonly reason?: string },
): Promise<Place> {
  if (reason !== undefined) return { where: terminalSafe(reason), waits: false };
  if (state !== 'running' && state !== 'elsewhere') return { where: '', waits: false };
  const { progress } = await readSnapshot(temporal, name);
  if (progress === null) return { where: '', waits: false };
  const [waiting] = progress.waiting;
  return waiting === undefined
    ? { where: whereText(progress), waits: false }
    : { where: `waits for you: colloquy status ${name}`, waits: true };
}
