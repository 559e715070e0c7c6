import type { ScheduleDescription } from '@temporalio/client';
import { SeriesDamaged } from '../../store/errors.ts';
import { type NightEntry, readLedger } from '../../store/series.ts';
import { openStore } from '../../store/store.ts';
import { colours } from '../colours.ts';
import { command, jsonFlag } from '../command.ts';
import { type Temporal, withTemporal } from '../connect.ts';
import { exitCodes } from '../exit-codes.ts';
import { seriesName } from '../experiment-argument.ts';
import { ExperimentNotFound } from '../experiment-not-found.ts';
import { printJson } from '../print-json.ts';
import { scheduleArgument } from '../schedule-argument.ts';
import { scheduleTable, seriesOf } from '../schedule-text.ts';
import { findSchedule } from '../schedules.ts';
import { describe } from '../snapshot.ts';

/** `colloquy schedule show NAME` */
export const scheduleShow = command({
  name: 'schedule show',
  description: 'say how a schedule stands: when, what was started, skipped and missed, and what became of it',
  examples: ['colloquy schedule show nightly', 'colloquy schedule show nightly --json'],
  args: { ...scheduleArgument, ...jsonFlag },
  run: ({ name: given, json }) =>
    withTemporal(async (temporal) => {
      const name = seriesName(given);
      const { description } = await findSchedule(temporal, name);
      const table = scheduleTable(description);
      const nights = await lastNights(temporal, description);
      if (json) {
        printJson({ name, ...table, nights });
        return exitCodes.ok;
      }
      const { bold } = colours();
      console.log(bold(name));
      const width = Math.max(...Object.keys(table).map((what) => what.length));
      for (const [what, text] of Object.entries(table)) console.log(`  ${what.padEnd(width)}  ${text}`);
      if (nights.length > 0) console.log('\nLast nights:');
      for (const { experiment, status, said } of nights)
        console.log(`  ${experiment}  ${status}${said === undefined ? '' : `\n    ${said}`}`);
      return exitCodes.ok;
    }),
});

type LastNight = { readonly experiment: string; readonly status: string; readonly said?: string };

/** Those that the server still remembers, newest first, and what the series says of them as far as this machine has its store. */
async function lastNights(temporal: Temporal, description: ScheduleDescription): Promise<LastNight[]> {
  const series = seriesOf(description);
  const ledger = series === undefined ? [] : await ledgerHere(series);
  const names = description.info.recentActions.map(({ action }) => action.workflow.workflowId).toReversed();
  return Promise.all(
    names.map(async (experiment) => {
      const status = await statusOf(temporal, experiment);
      const said = ledger.find((night) => night.experiment === experiment)?.said;
      return { experiment, status, ...(said === undefined ? {} : { said }) };
    }),
  );
}

async function ledgerHere(series: string): Promise<NightEntry[]> {
  try {
    return await readLedger(openStore(), series);
  } catch (error) {
    if (!(error instanceof SeriesDamaged)) throw error;
    console.error(error.message);
    return [];
  }
}

async function statusOf(temporal: Temporal, experiment: string): Promise<string> {
  try {
    return (await describe(temporal, experiment)).status.name.toLowerCase();
  } catch (error) {
    if (error instanceof ExperimentNotFound) return 'no longer known to the server';
    throw error;
  }
}
