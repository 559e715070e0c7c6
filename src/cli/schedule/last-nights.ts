/** How the last nights of a schedule ended, and why. */
import type { ScheduleDescription } from '@temporalio/client';
import { SeriesDamaged } from '../../store/errors.ts';
import { type NightEntry, readLedger } from '../../store/series.ts';
import { openStore } from '../../store/store.ts';
import { terminalSafe } from '../../text/terminal-safe.ts';
import { endingOf } from '../experiment/follow.ts';
import { readProgress } from '../experiment/snapshot.ts';
import type { Temporal } from '../server/connect.ts';
import { findWorkflow } from '../server/workflow.ts';
import { recentNights } from './client.ts';
import { seriesOf } from './text.ts';

export type LastNight = {
  readonly experiment: string;
  /** As the server has it; `parked` when it waits for a person. */
  readonly status: string;
  /** What became of it, or why it failed or waits; absent when neither is known. */
  readonly said?: string;
};

/** The nights that the server remembers, newest first, each with its line in the series' ledger if that is in this machine's store. */
export async function lastNights(temporal: Temporal, description: ScheduleDescription): Promise<LastNight[]> {
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
