import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { artifactsOf } from './artifacts.ts';
import type { Fault } from './fault.ts';
import type { Moment } from './moments.ts';
import { endsClean, suffer, type Suffered, type Undisturbed } from './suffer.ts';
import { startTestServer, type TestServer } from './test-server.ts';
import { openWorld, type World } from './world.ts';

type Cell = readonly [Fault, Moment];

/** What strikes an experiment when; its worker and server live on, so that all cells can share one world. */
export type OneWorldTable = {
  readonly cells: readonly Cell[];
  /** The cells that `npm test` runs; `npm run faults` runs all. Default: all of them. */
  readonly always?: readonly Cell[];
};

export type FaultTable = OneWorldTable & {
  /** Its measurements go to bench/results/faults/FILE.json, from which docs/faults.md is made. */
  readonly file: string;
  /** `each` for what ends a worker or the server: a world for each cell, a few cells at a time. `one` for all cells in turn. */
  readonly worlds: 'each' | 'one';
};

const everyCell = process.env['COLLOQUY_FAULTS'] === 'all';

/** A test for each cell: an experiment that suffers the fault at the moment, and ends as if nothing had happened. */
export function faultTable({ file, cells, always = cells, worlds }: FaultTable): void {
  const table: Table = { rows: (everyCell ? cells : always).map(rowOf), measured: [] };
  beforeAll(async () => {
    table.server = await startTestServer();
    table.world = await openWorld(table.server);
    await table.world.startWorker();
    await (await table.world.start('undisturbed')).result();
    table.undisturbed = await artifactsOf(table.world.storeRoot, 'undisturbed');
  }, 120_000);
  afterAll(async () => {
    await table.world?.[Symbol.asyncDispose]();
    await table.server?.[Symbol.asyncDispose]();
    await keep(file, table.measured);
  });
  (worlds === 'each' ? inWorldsOfTheirOwn : inOneWorld)(table);
}

type Row = readonly [fault: string, moment: string, index: number, Fault, Moment];
type Measured = Suffered & { readonly fault: string; readonly moment: string };
type Table = {
  readonly rows: readonly Row[];
  readonly measured: Measured[];
  server?: TestServer;
  world?: World;
  undisturbed?: Undisturbed;
};

function rowOf([fault, moment]: Cell, index: number): Row {
  return [fault.name, moment.name, index, fault, moment];
}

function inWorldsOfTheirOwn(table: Table): void {
  it.concurrent.each(table.rows)(
    '%s: %s',
    async (fault, moment, _index, ...cell) => {
      await using own = cell[0].endsServer ? await startTestServer() : undefined;
      await using world = await openWorld(own ?? table.server!);
      await world.startWorker();
      const suffered = await suffer(world, ...cell, table.undisturbed!);
      await endsClean(world);
      table.measured.push({ fault, moment, ...suffered });
    },
    480_000,
  );
}

function inOneWorld(table: Table): void {
  it.each(table.rows)(
    '%s: %s',
    async (fault, moment, index, ...cell) => {
      const world = table.world!;
      // The same seed makes the same models, which would be found finished.
      await rm(join(world.storeRoot, 'models'), { recursive: true, force: true });
      const suffered = await suffer(world, ...cell, table.undisturbed!, `experiment-${index}`);
      table.measured.push({ fault, moment, ...suffered });
    },
    300_000,
  );
  it('and leaves no process and nothing half-written', () => endsClean(table.world!), 60_000);
}

async function keep(file: string, measured: readonly Measured[]): Promise<void> {
  const folder = join(projectRoot, 'bench', 'results', 'faults');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${file}.json`), JSON.stringify(measured, null, 1));
}

/** Every fault at every moment. */
export function everyPair(faults: readonly Fault[], moments: readonly Moment[]): Cell[] {
  return faults.flatMap((fault) => moments.map((moment) => [fault, moment] as const));
}
