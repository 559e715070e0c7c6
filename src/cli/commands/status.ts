import { setTimeout as sleep } from 'node:timers/promises';
import { exitCodes, type ExitCode, UsageError } from '../../errors.ts';
import { percent } from '../../text/figures.ts';
import { experimentName } from '../arguments.ts';
import { command, jsonOption, setExitCode } from '../command.ts';
import { listAll, type Listed, printExperimentStatus } from '../experiment/status.ts';
import { type Temporal, tolerateOutages, withTemporal } from '../server/connect.ts';
import { describe, hasEnded } from '../server/workflow.ts';
import { printStudyStatus } from '../study/follow.ts';
import { clearScreen, interruptSignal, printJson, printTable } from '../terminal.ts';

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
