/** A disk that is full, read-only or unsound. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rmdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { scratchFolder } from '../support/scratch-folder.ts';
import { until } from '../support/until.ts';
import type { Fault } from './fault.ts';
import { everyPair, type OneWorldTable } from './fault-table.ts';
import { moments, release } from './moments.ts';
import { waitsForAPerson } from './what-people-see.ts';
import type { World } from './world.ts';

/** One of each kind, by its name in the table; below the experiment's folder, or `model:` below the model's. */
const kinds = {
  'the config': 'config.json',
  'the training questions': 'questions/train.jsonl',
  'the held-out questions': 'questions/heldout.jsonl',
  'a shard of held-out debates': 'iteration-0/evaluation/shard-001.jsonl',
  'the seal of a shard': 'iteration-0/evaluation/shard-002.jsonl.ref.json',
  'the outcomes': 'iteration-0/outcomes.jsonl',
  'an evaluation': 'iteration-0/evaluation.json',
  'a shard of training debates': 'iteration-1/debates/shard-003.jsonl',
  'a dataset': 'iteration-1/datasets/agent-1-generation.jsonl',
  'an iteration’s record': 'iteration-1/record.json',
  'a journal': 'iteration-1/evaluation/shard-000.journal.jsonl',
  'a model’s weights': 'model:adapter_model.safetensors',
  'a model’s manifest': 'model:manifest.json',
} as const;
type Kind = keyof typeof kinds;

const ways = {
  'a flipped bit in': async (path: string) => {
    const bytes = await readFile(path);
    const middle = bytes.length >> 1;
    bytes[middle] = bytes[middle]! ^ 4;
    await writeFile(path, bytes);
  },
  'a lost half of': async (path: string) => truncate(path, (await readFile(path)).length >> 1),
};

function damage(way: keyof typeof ways, kind: Kind): Fault {
  return {
    name: `${way} ${kind}`,
    strike: async (world, experiment) => {
      await world.worker().kill('SIGTERM');
      const path = await pathOf(world, experiment, kinds[kind]);
      await ways[way](path);
      await release(world);
      await world.startWorker();
      // What this run does not read again is found when the experiment is started again.
      await world.client.workflow.getHandle(experiment).result();
      await world.start(experiment);
    },
    damages: damagesOf(kind),
    // The lost half of a journal is asked for again.
    ...(kind === 'a journal' ? { catches: 8 } : {}),
  };
}

/** A model that is made again is another file, and another line in the trainer's log. */
function damagesOf(kind: Kind): number {
  if (kind.startsWith('a model')) return 2;
  // A shard that nothing vouches for is made again, too.
  const shards: readonly Kind[] = [
    'a shard of held-out debates',
    'a shard of training debates',
    'the seal of a shard',
  ];
  return shards.includes(kind) ? 1 : 0;
}

async function pathOf(world: World, experiment: string, place: string): Promise<string> {
  if (!place.startsWith('model:')) return join(world.storeRoot, experiment, place);
  const models = join(world.storeRoot, 'models');
  const model = (await readdir(models)).find((name) => /^[0-9a-f]{64}$/.test(name));
  return join(models, model ?? '', place.slice('model:'.length));
}

/** The kernel's own refusal: no file of the worker may become longer. */
const diskFull: Fault = {
  name: 'disk full',
  strike: async (world, experiment) => {
    const limit = (fsize: string) =>
      execFileSync('prlimit', [`--pid=${world.worker().pid}`, `--fsize=${fsize}`]);
    limit('1:unlimited');
    await release(world);
    await waitsForAPerson(world, experiment, /DiskFull/);
    limit('unlimited:unlimited');
    await world.client.workflow.getHandle(experiment).executeUpdate(retryUpdate);
  },
};

/** Only root can make a mount read-only. The journals that are open stay so: it is the finished shards that cannot be written. */
const readOnly: Fault = {
  name: 'read-only store',
  strike: async (world, experiment) => {
    const { storeRoot } = world;
    const handle = world.client.workflow.getHandle(experiment);
    const progress = () => handle.query(progressQuery);
    // Made read-only apart, where no process has a file open, and then put over the store.
    const apart = scratchFolder();
    const mount = (...args: string[]) => execFileSync('mount', args);
    mount('--bind', storeRoot, apart);
    mount('-o', 'remount,bind,ro', apart);
    mount('--bind', apart, storeRoot);
    try {
      await release(world);
      await waitsForAPerson(world, experiment, /StoreNotWritable/);
      // A step that finds out only after the store can be written again, and after the retry, would wait for another one.
      await until('all that cannot be written waits', async () => (await progress()).inFlight === 0, 60_000);
    } finally {
      // The worker may be reading.
      execFileSync('umount', ['--lazy', storeRoot, apart]);
      await rmdir(apart);
    }
    await handle.executeUpdate(retryUpdate);
  },
};

const damages = (Object.keys(kinds) as Kind[]).flatMap((kind) => [
  damage('a flipped bit in', kind),
  damage('a lost half of', kind),
]);
const canMount = process.getuid?.() === 0 && existsSync('/usr/bin/mount');

export const storeFaults: OneWorldTable = {
  cells: [
    ...everyPair([diskFull], [moments.round1, moments.evaluation]),
    ...everyPair(canMount ? [readOnly] : [], [moments.round1]),
    ...everyPair(damages, [moments.evaluation]),
  ],
  always: [
    [diskFull, moments.round1],
    ...everyPair(
      [
        damage('a lost half of', 'the config'),
        damage('a flipped bit in', 'a shard of training debates'),
        damage('a flipped bit in', 'a model’s weights'),
      ],
      [moments.evaluation],
    ),
  ],
};
