import { terminalSafe } from '../../text/terminal-safe.ts';
import type { StudyProgress } from '../../workflows/study-progress.ts';
import { type ExitCode, exitCodes } from '../../errors.ts';
import { whereText } from '../experiment/progress.ts';
import { readProgress } from '../experiment/snapshot.ts';
import type { Temporal } from '../server/connect.ts';
import { describe, NoWorker } from '../server/workflow.ts';
import { colours, printJson, printTable } from '../terminal.ts';
import { studyEndingOf, studyProgress } from './follow.ts';

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
      cells.map((cell) => [cell.experiment, cell.method, String(cell.seed), cell.state, cell.where]),
    );
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
