/** Two workers on two hosts that share the store by NFS. The mounts are made by test/store/nfs/run.sh; without them this is skipped. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { nfsMounts, whyNoNfs } from '../store/nfs/mounts.ts';
import { until } from '../support/until.ts';
import { artifactsOf } from './artifacts.ts';
import { startTestServer } from './test-server.ts';
import { answersAPhase, openWorld, type World } from './world.ts';

describe.skipIf(nfsMounts.length === 0)(`an experiment of two hosts on NFS${whyNoNfs}`, () => {
  it('ends with the same bytes as on a local disk, though the NFS server is gone for 30 s and then a worker is killed', async () => {
    await using server = await startTestServer();
    const undisturbed = await onLocalDisk(server);
    const [, first, second] = nfsMounts.map((mount) => join(mount, 'shared')) as [string, string, string];
    mkdirSync(first);
    await using world = await openWorld(server, first);
    await world.startWorker({ storeRoot: second });
    await world.startWorker();
    const handle = await world.start('shared');
    await until('it debates', async () => (await world.answers()).length > answersAPhase, 120_000);
    setThreads(0);
    await sleep(30_000);
    setThreads(8);
    await world.worker().kill('SIGKILL');
    await handle.result();
    expect(await artifactsOf(first, 'shared')).toEqual(undisturbed);
  }, 900_000);
});

async function onLocalDisk(server: World['server']): Promise<Record<string, string>> {
  await using world = await openWorld(server);
  await world.startWorker();
  await (await world.start('undisturbed')).result();
  return await artifactsOf(world.storeRoot, 'undisturbed');
}

/** How many threads the kernel's NFS server has; with none it answers nothing. */
function setThreads(count: number): void {
  writeFileSync('/proc/fs/nfsd/threads', `${count}\n`);
}
