import Table from 'cli-table3';
import { terminalSafe } from '../../text/terminal-safe.ts';
import { resultTable } from '../result-table.ts';
import { colours, wantsColours } from '../colours.ts';
import { command, jsonFlag } from '../command.ts';
import { type Temporal, withTemporal } from '../connect.ts';
import { endingOf } from '../ending.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { experimentName } from '../experiment-argument.ts';
import { hasWorker, noWorkerHint } from '../no-worker.ts';
import { printJson } from '../print-json.ts';
import { describe, readProgress, readSnapshot, type Snapshot } from '../snapshot.ts';
import { statusText } from '../status-text.ts';
import { tellStudy } from '../tell-study.ts';

/** `colloquy status [NAME]` */
export const status = command({
  name: 'status',
  description: 'list the experiments and studies, or say how one stands',
  examples: ['colloquy status', 'colloquy status quickstart', 'colloquy status quickstart --json'],
  args: {
    name: { type: 'positional', description: "the experiment's name (default: all)", required: false },
    ...jsonFlag,
  },
  run: ({ name, json }) =>
    withTemporal((temporal) =>
      name === undefined ? listAll(temporal, json) : tellNamed(temporal, experimentName(name), json),
    ),
});

async function listAll(temporal: Temporal, json: boolean): Promise<ExitCode> {
  const { client } = temporal;
  const all = new Map<
    string,
    { name: string; kind: string; status: string; startedAt: Date; closedAt: Date | undefined }
  >();
  // Newest first; the first row of a name is its latest run.
  for await (const each of client.workflow.list({ query: `WorkflowType IN ('experiment', 'study')` })) {
    if (all.has(each.workflowId) || each.status.name === 'CONTINUED_AS_NEW') continue;
    all.set(each.workflowId, {
      name: each.workflowId,
      kind: each.type,
      status: each.status.name.toLowerCase(),
      startedAt: each.startTime,
      closedAt: each.closeTime,
    });
  }
  await sayWhatTheyDo(temporal, [...all.values()]);
  if (json) printJson([...all.values()]);
  else if (all.size === 0) console.log('No experiments yet. Start one: colloquy run configs/quickstart.yaml');
  else {
    const table = new Table({
      head: ['experiment', 'kind', 'state', 'latest run began', 'ended'],
      style: { head: [], border: wantsColours() ? ['gray'] : [] },
    });
    const time = (date: Date | undefined): string => date?.toISOString().slice(0, 16).replace('T', ' ') ?? '';
    for (const each of all.values())
      table.push([each.name, each.kind, each.status, time(each.startedAt), time(each.closedAt)]);
    console.log(table.toString());
  }
  return exitCodes.ok;
}

/** To the server an experiment runs that is paused or waits for a person: what it says of itself is put in place of that. */
async function sayWhatTheyDo(
  temporal: Temporal,
  all: readonly { readonly name: string; readonly kind: string; status: string }[],
): Promise<void> {
  const running = all.filter(({ kind, status: state }) => kind === 'experiment' && state === 'running');
  if (running.length === 0 || !(await hasWorker(temporal))) return;
  await Promise.all(
    running.slice(0, mostAsked).map(async (each) => {
      const state = (await readProgress(temporal.client, each.name))?.state;
      if (state !== undefined) each.status = state;
    }),
  );
}

/** Of the newest: each question may take a worker a moment. */
const mostAsked = 50;

async function tellNamed(temporal: Temporal, name: string, json: boolean): Promise<ExitCode> {
  const { type } = await describe(temporal, name);
  return type === 'study' ? tellStudy(temporal, name, json) : tellOne(temporal, name, json);
}

async function tellOne(temporal: Temporal, name: string, json: boolean): Promise<ExitCode> {
  const snapshot = await readSnapshot(temporal, name);
  const parked = snapshot.status === 'RUNNING' && snapshot.progress?.state === 'parked';
  const failure = hasFailed(snapshot) ? await endingOf(temporal, name) : undefined;
  const failed = failure?.kind === 'failed' ? failure : undefined;
  if (json) {
    printJson({
      name,
      ...snapshot,
      ...(failed === undefined ? {} : { failure: { type: failed.type, reason: failed.reason } }),
    });
  } else {
    tellSnapshot(name, snapshot);
    if (failed !== undefined) console.log(failureLine(failed));
    if (snapshot.progress === null && !(await hasWorker(temporal))) console.log(noWorkerHint);
  }
  return parked ? exitCodes.waitsForPerson : exitCodes.ok;
}

/** An abort says itself what it is. */
function failureLine({ type, reason }: { readonly type: string; readonly reason: string }): string {
  return terminalSafe(reason.startsWith(type) ? reason : `${type}: ${reason}`);
}

/** Its latest run has ended, and not with a result. */
function hasFailed({ status }: Snapshot): boolean {
  return ['FAILED', 'CANCELLED', 'TERMINATED', 'TIMED_OUT'].includes(status);
}

function tellSnapshot(name: string, snapshot: Snapshot): void {
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
}
