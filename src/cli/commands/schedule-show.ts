/** The commands that list the schedules and show one. */
import type { ScheduleDescription } from '@temporalio/client';
import { SeriesDamaged } from '../../store/errors.ts';
import { type NightEntry, readLedger } from '../../store/series.ts';
import { openStore } from '../../store/store.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import { seriesName } from '../arguments.ts';
import { command, jsonOption } from '../command.ts';
import { endingOf } from '../experiment/run.ts';
import { readProgress } from '../experiment/snapshot.ts';
import {
  findSchedule,
  recentNights,
  scheduleFacts,
  scheduleTable,
  seriesOf,
  skippedText,
  stateText,
  timeIn,
  zoneOf,
} from '../schedule/description.ts';
import { type Temporal, withTemporal } from '../server/connect.ts';
import { findWorkflow } from '../server/workflow.ts';
import { colours, printJson, printTable } from '../terminal.ts';

/** `colloquy schedule list` */
export const scheduleList = command('schedule list', [
  'colloquy schedule list',
  'colloquy schedule list --json',
])
  .description('list the schedules: the next night of each, and how many were skipped')
  .addOption(jsonOption)
  .action(({ json }) =>
    withTemporal(async (temporal) => {
      const schedules = await listSchedules(temporal);
      if (json) return printJson(schedules);
      if (schedules.length === 0)
        return console.log(
          'No schedules yet. Make one: colloquy schedule create nightly quickstart --at 02:00',
        );
      printTable(
        ['schedule', 'state', 'next night', 'started', 'skipped'],
        schedules.map(({ name, state, next, started, skipped }) => [name, state, next, started, skipped]),
      );
    }),
  );

type ListedSchedule = Readonly<Record<'name' | 'state' | 'next' | 'started' | 'skipped', string>>;

/** The schedules whose runs are experiments. */
export async function listSchedules({ client }: Temporal): Promise<ListedSchedule[]> {
  const schedules: ListedSchedule[] = [];
  for await (const { scheduleId: name, action } of client.schedule.list()) {
    if (action?.workflowType !== 'experiment') continue;
    // The list itself lags behind and does not count skipped nights.
    const description = await client.schedule.getHandle(name).describe();
    const [next] = description.info.nextActionTimes;
    const zone = zoneOf(description);
    schedules.push({
      name,
      state: stateText(description),
      next: next === undefined || description.state.paused ? '–' : `${timeIn(zone, next)} ${zone}`,
      started: String(description.info.numActionsTaken),
      skipped: skippedText(description),
    });
  }
  return schedules;
}

/** `colloquy schedule show NAME` */
export const scheduleShow = command('schedule show', [
  'colloquy schedule show nightly',
  'colloquy schedule show nightly --json',
])
  .description('show a schedule: when, what was started, skipped and missed, and how the last nights ended')
  .argument('<name>', "the schedule's name", seriesName)
  .addOption(jsonOption)
  .action((name, { json }) =>
    withTemporal(async (temporal) => {
      const { description } = await findSchedule(temporal, name);
      const nights = await lastNights(temporal, description);
      if (json) return printJson({ name, ...scheduleFacts(description), nights });
      const table = scheduleTable(description);
      console.log(colours().bold(name));
      const width = Math.max(...Object.keys(table).map((what) => what.length));
      for (const [what, text] of Object.entries(table)) console.log(`  ${what.padEnd(width)}  ${text}`);
      if (nights.length > 0) console.log('\nLast nights:');
      for (const { experiment, status, said } of nights)
        console.log(`  ${experiment}  ${status}${said === undefined ? '' : `\n    ${said}`}`);
    }),
  );

/** How a night of a schedule ended, and why. */
type LastNight = {
  readonly experiment: string;
  /** As the server has it; `parked` when it waits for a person. */
  readonly status: string;
  /** What became of it, or why it failed or waits; absent when neither is known. */
  readonly said?: string;
};

/** The nights that the server remembers, newest first, each with its line in the series' ledger if that is in this machine's store. */
async function lastNights(temporal: Temporal, description: ScheduleDescription): Promise<LastNight[]> {
  const series = seriesOf(description);
  const ledger = series === undefined ? [] : await ledgerHere(series);
  return Promise.all(
    recentNights(description)
      .toReversed()
      .map(async (experiment) => {
        const found = await findWorkflow(temporal, experiment, 'experiment');
        if (found === null) return { experiment, status: 'no longer known to the server' };
        const status = found.status.name.toLowerCase();
        const said = ledger.find((night) => night.experiment === experiment)?.said;
        if (said !== undefined) return { experiment, status, said };
        return { experiment, status, ...(await reasonOf(temporal, experiment, status)) };
      }),
  );
}

/** Why a night that is not in the ledger has not ended well, in one line. */
async function reasonOf(
  temporal: Temporal,
  name: string,
  status: string,
): Promise<Partial<Pick<LastNight, 'status' | 'said'>>> {
  if (status === 'running') {
    const progress = await readProgress(temporal.client, name);
    const [first] = progress?.state === 'parked' ? progress.waiting : [];
    return first === undefined
      ? {}
      : { status: 'parked', said: oneLine(`waits for a person: ${first.words}: ${first.reason}`) };
  }
  if (!['failed', 'cancelled', 'terminated', 'timed_out'].includes(status)) return {};
  const ending = await endingOf(temporal, name);
  return ending.kind === 'failed' ? { said: oneLine(`${ending.type}: ${ending.reason}`) } : {};
}

function oneLine(text: string): string {
  const line = terminalSafe(text).replace(/\s+/g, ' ').trim();
  return line.length > longest ? `${line.slice(0, longest)}…` : line;
}

const longest = 300;

async function ledgerHere(series: string): Promise<NightEntry[]> {
  try {
    return await readLedger(openStore(), series);
  } catch (error) {
    if (!(error instanceof SeriesDamaged)) throw error;
    console.error(error.message);
    return [];
  }
}
