/** What `colloquy status`, the query and the Temporal UI say of an experiment that suffers: all of them show one table. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { readSnapshot, type Snapshot } from '../../src/cli/experiment/snapshot.ts';
import { statusText } from '../../src/cli/commands/status.ts';
import { progressQuery } from '../../src/workflows/progress.ts';
import { until } from '../support/until.ts';
import type { World } from './world.ts';

/** Waits until a step waits for a person, for that reason, and checks that people see the reason and what to do. */
export async function waitsForAPerson(
  world: World,
  experiment: string,
  reason: RegExp,
  patienceMs?: number,
): Promise<void> {
  const snapshot = await until(
    'the experiment waits for a person',
    async () => {
      const now = await snapshotOf(world, experiment);
      return now.progress?.state === 'parked' && { ...now, progress: now.progress };
    },
    patienceMs,
  );
  const text = statusText(snapshot, { now: Date.now(), colours: false });
  const retry = `colloquy retry ${experiment}`;
  const rows = {
    state: /^parked$/,
    'waits for a person': /^yes: \d+ steps? could not be done$/,
    'what to do': new RegExp(`^put the cause right, then: ${retry}$`),
  };
  const { table } = await world.client.workflow.getHandle(experiment).query(progressQuery);
  for (const [row, words] of Object.entries(rows)) {
    expect(rowOf(text, row), `colloquy status: ${row}`).toMatch(words);
    expect(table[row as keyof typeof rows], `the query's table: ${row}`).toMatch(words);
  }
  expect(text.replaceAll('\n  | ', ' ')).toMatch(reason);
  expect(text).toContain(`\n  ${retry}\n  temporal workflow update execute -w ${experiment} --name retry\n`);
}

/** Waits for the result. Fails at once, in the words that people would see, when the experiment waits for a person instead. */
export async function endsByItself(world: World, experiment: string): Promise<void> {
  const watching = new AbortController();
  const result = world.client.workflow.getHandle(experiment).result();
  const parked = parks(world, experiment, watching.signal);
  try {
    await Promise.race([result, parked]);
  } finally {
    watching.abort();
    // A query that is tried again once the connection is closed would throw where no code catches it.
    await parked.catch(() => undefined);
  }
  // A busy worker may let the first of these queries time out.
  const { table } = await until('the ended run answers a query', () =>
    world.client.workflow
      .getHandle(experiment)
      .query(progressQuery)
      .catch(() => false as const),
  );
  expect(table).toMatchObject({
    state: 'finished',
    'waits for a person': 'no',
    'what to do': `read the report: colloquy report ${experiment}`,
  });
}

async function parks(world: World, experiment: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { progress, ...rest } = await snapshotOf(world, experiment);
    if (progress?.state === 'parked')
      throw new Error(
        `${experiment} waits for a person:\n${statusText({ ...rest, progress }, { now: Date.now(), colours: false })}`,
      );
    await sleep(500, undefined, { signal }).catch(() => undefined);
  }
}

function snapshotOf({ client, server, environment }: World, experiment: string): Promise<Snapshot> {
  const { address } = server;
  const namespace = environment['TEMPORAL_NAMESPACE']!;
  return readSnapshot({ client, address, namespace, close: async () => undefined }, experiment);
}

function rowOf(text: string, row: string): string | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`  ${row}  `));
  return line?.slice(row.length + 2).trim();
}
