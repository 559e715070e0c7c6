import { experimentName } from '../arguments.ts';
import { command, jsonOption, setExitCode } from '../command.ts';
import { readProgress } from '../experiment/snapshot.ts';
import { printExperimentStatus } from '../experiment/status.ts';
import { type Temporal, withTemporal } from '../server/connect.ts';
import { describe, hasWorker } from '../server/workflow.ts';
import { printStudyStatus } from '../study/status.ts';
import { printJson, printTable } from '../terminal.ts';

/** `colloquy status [NAME]` */
export const status = command('status', 'list the experiments and studies, or show the state of one', [
  'colloquy status',
  'colloquy status quickstart',
  'colloquy status quickstart --json',
])
  .argument('[name]', 'the name of an experiment or a study (default: all)', experimentName)
  .addOption(jsonOption)
  .action((name, { json = false }) =>
    withTemporal(async (temporal) => {
      if (name === undefined) return printAll(temporal, json);
      const { type } = await describe(temporal, name);
      const print = type === 'study' ? printStudyStatus : printExperimentStatus;
      setExitCode(await print(temporal, name, json));
    }),
  );

type Listed = {
  readonly name: string;
  readonly kind: string;
  status: string;
  readonly startedAt: Date;
  readonly closedAt: Date | undefined;
};

async function printAll(temporal: Temporal, json: boolean): Promise<void> {
  const listed = await listAll(temporal);
  await addOwnStates(temporal, listed);
  if (json) return printJson(listed);
  if (listed.length === 0)
    return console.log('No experiments yet. Start one: colloquy run configs/quickstart.yaml');
  printTable(
    ['experiment', 'kind', 'state', 'latest run began', 'ended'],
    listed.map((each) => [
      each.name,
      each.kind,
      each.status,
      timeText(each.startedAt),
      timeText(each.closedAt),
    ]),
  );
}

function timeText(date: Date | undefined): string {
  return date?.toISOString().slice(0, 16).replace('T', ' ') ?? '';
}

/** The latest run of each experiment and study, newest first. */
async function listAll({ client }: Temporal): Promise<Listed[]> {
  const byName = new Map<string, Listed>();
  for await (const each of client.workflow.list({ query: `WorkflowType IN ('experiment', 'study')` })) {
    // The list is newest first, so the first row of a name is its latest run.
    if (byName.has(each.workflowId) || each.status.name === 'CONTINUED_AS_NEW') continue;
    byName.set(each.workflowId, {
      name: each.workflowId,
      kind: each.type,
      status: each.status.name.toLowerCase(),
      startedAt: each.startTime,
      closedAt: each.closeTime,
    });
  }
  return [...byName.values()];
}

/** For the server a paused or parked experiment is running: its own state replaces that, where a worker can answer. */
async function addOwnStates(temporal: Temporal, listed: readonly Listed[]): Promise<void> {
  const running = listed.filter(({ kind, status: state }) => kind === 'experiment' && state === 'running');
  if (running.length === 0 || !(await hasWorker(temporal))) return;
  await Promise.all(
    running.slice(0, mostAsked).map(async (each) => {
      each.status = (await readProgress(temporal.client, each.name))?.state ?? each.status;
    }),
  );
}

/** Only the newest are asked, because each query may take a worker a moment. */
const mostAsked = 50;
