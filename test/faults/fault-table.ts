import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { projectRoot } from '../../src/config/project-root.ts';
import { artifactsOf } from './artifacts.ts';
import type { Fault } from './fault.ts';
import type { Moment } from './moments.ts';
import { endsClean, suffer, type Suffered, type Undisturbed } from './suffer.ts';
import { startTestServer, type TestServer } from './test-server.ts';
import { openWorld, type World } from './world.ts';

type Cell = readonly [Fault, Moment];

export type FaultTable = {
  /** Its measurements go to bench/results/faults/FILE.json, from which docs/faults.md is made. */
  readonly file: string;
  readonly cells: readonly Cell[];
  /** The cells that `npm test` runs; `npm run faults` runs all. All of them unless told. */
  readonly always?: readonly Cell[];
  /** `each` for what ends a worker or the server: a world for each cell, a few cells at a time. `one` for all cells in turn. */
  readonly worlds: 'each' | 'one';
};

const everyCell = process.env['COLLOQUY_FAULTS'] === 'all';

/** A test for each cell: an experiment that suffers the fault at the moment, and ends as if nothing had happened. */
export function faultTable({ file, cells, always = cells, worlds }: FaultTable): void {
  const measured: (Suffered & { readonly fault: string; readonly moment: string })[] = [];
  let undisturbed: Undisturbed;
  let server: TestServer;
  let world: World;
  beforeAll(async () => {
    server = await startTestServer();
    world = await openWorld(server);
    await world.startWorker();
    await (await world.start('undisturbed')).result();
    undisturbed = await artifactsOf(world.storeRoot, 'undisturbed');
    if (worlds === 'each') await world.worker().kill('SIGTERM');
  }, 120_000);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const chosen = everyCell ? cells : always;
  const rows = chosen.map(([fault, moment], index) => [fault.name, moment.name, index, fault, moment] as const);
  const note = (fault: Fault, moment: Moment, suffered: Suffered): void => {
    measured.push({ fault: fault.name, moment: moment.name, ...suffered });
  };

  if (worlds === 'each') {
    it.concurrent.each(rows)(
      '%s: %s',
      async (_fault, _moment, _index, fault, moment) => {
        await using ownServer = await startTestServer();
        await using own = await openWorld(ownServer);
        await own.startWorker();
        note(fault, moment, await suffer(own, fault, moment, undisturbed));
        await endsClean(own);
      },
      240_000,
    );
  } else {
    it.each(rows)(
      '%s: %s',
      async (_fault, _moment, index, fault, moment) => {
        // The same seed makes the same models, which would be found finished.
        await rm(join(world.storeRoot, 'models'), { recursive: true, force: true });
        note(fault, moment, await suffer(world, fault, moment, undisturbed, `experiment-${index}`));
      },
      120_000,
    );
    it('and leaves no process and nothing half-written', () => endsClean(world), 60_000);
  }

  afterAll(async () => {
    if (!everyCell) return;
    const folder = join(projectRoot, 'bench', 'results', 'faults');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${file}.json`), JSON.stringify(measured, null, 1));
  });
}

/** Every fault at every moment. */
export function everyPair(faults: readonly Fault[], moments: readonly Moment[]): Cell[] {
  return faults.flatMap((fault) => moments.map((moment) => [fault, moment] as const));
}
