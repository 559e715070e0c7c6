/** The store under real faults: killed processes, full disks, read-only folders. Each in a process of its own. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { openJournal } from '../../src/store/files/journal.ts';
import { findRows, writeRows } from '../../src/store/files/rows.ts';
import { outputOf, ownMounts, runChild } from './faults/run-child.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { placeAt } from '../support/places.ts';

const folder = temporaryFolder();
const mounts = ownMounts();
const intact = () => expect.unreachable('no damage was expected');
function empty(name: string): string {
  mkdirSync(join(folder, name));
  return join(folder, name);
}

describe('several processes', () => {
  it('append to one journal without mixing within a line', async () => {
    const path = join(folder, 'shared.journal.jsonl');
    await Promise.all(['a', 'b'].map((name) => outputOf(runChild('append-many.ts', [path, name, '400']))));
    const journal = await openJournal(path, intact);
    expect(journal.size).toBe(800);
    for (const name of ['a', 'b']) expect(journal.get(`${name}-399`)).toMatchObject({ key: `${name}-399` });
    journal.close();
  }, 120_000);

  it('killed while appending lose no entry that was acknowledged', async () => {
    const path = join(folder, 'killed.journal.jsonl');
    const child = runChild('append-many.ts', [path, 'k', '1000000']);
    const acknowledged: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line !== 'open') acknowledged.push(line);
      if (acknowledged.length === 200) child.kill('SIGKILL');
    }
    // The last output of the pipe may be half a key.
    acknowledged.pop();
    const journal = await openJournal(path, () => {});
    for (const key of acknowledged) expect(journal.get(key)).toMatchObject({ key });
    journal.close();
  }, 120_000);

  it('killed while replacing rows leave whole rows or none, and never damage', async () => {
    const path = join(empty('replaced'), 'rows.jsonl');
    for (const kills of [1, 2]) {
      const child = runChild('replace-rows.ts', [path]);
      let lines = 0;
      for await (const _ of createInterface({ input: child.stdout }))
        if (++lines === kills) child.kill('SIGKILL');
      const found = await findRows(placeAt(path), intact);
      expect([undefined, 1, 300]).toContain(found?.rows);
    }
    expect((await writeRows(placeAt(path), [{}])).rows).toBe(1);
  }, 120_000);
});

const onFullDisk = {
  rows: 'DiskFull',
  document: 'DiskFull',
  append: 'DiskFull',
  notInJournal: true,
  intactRows: 1,
  intactDocument: { n: 1 },
  small: 1,
  leftOver: [],
};

describe('a full disk', () => {
  it('is reported as DiskFull at the limit on the size of files, and existing files stay whole', async () => {
    const limited = ['sh', '-c', 'ulimit -f 128; exec "$@"', 'sh'];
    const output = await outputOf(runChild('fill-disk.ts', [empty('limited')], limited));
    expect(JSON.parse(output)).toEqual({ ...onFullDisk, again: 'not tried' });
  }, 120_000);

  it.skipIf(mounts === null)(
    'is reported as DiskFull on a disk of 256 kB, existing files stay whole, and the journal continues when there is room again',
    async () => {
      const disk = empty('full');
      const mounted =
        'mount -t tmpfs -o size=256k tmpfs "$0" && head -c 150000 /dev/zero > "$0/ballast" && exec "$@"';
      const wrapper = [...(mounts ?? []), 'sh', '-c', mounted, disk];
      const output = await outputOf(runChild('fill-disk.ts', [disk, join(disk, 'ballast')], wrapper));
      expect(JSON.parse(output)).toEqual({ ...onFullDisk, again: 'undefined', after: 2 });
    },
    120_000,
  );
});

describe('a store that cannot be written', () => {
  const refused = Array.from({ length: 4 }, () => 'StoreNotWritable');

  it.skipIf(mounts === null)(
    'is reported as StoreNotWritable when its disk is mounted read-only',
    async () => {
      const disk = empty('read-only-disk');
      const wrapper = [...(mounts ?? []), 'sh', '-c', 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"', disk];
      expect(JSON.parse(await outputOf(runChild('write-anything.ts', [disk], wrapper)))).toEqual(refused);
    },
    120_000,
  );

  it('is reported as StoreNotWritable when this user may not write there', async () => {
    const locked = empty('locked');
    chmodSync(locked, 0o555);
    // Root may write anywhere, so the child gives up that right.
    const wrapper =
      process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-dac_override', '--inh-caps', '-all'] : [];
    expect(JSON.parse(await outputOf(runChild('write-anything.ts', [locked], wrapper)))).toEqual(refused);
  }, 120_000);
});

describe('a read that the system refuses', () => {
  // A row that is no debate, an entry that is no night: read, intact, and found to be something else.
  const allowed = {
    rows: 'found',
    document: 'found',
    page: 'found',
    debates: 'OtherVersion',
    model: 'found',
    ledger: 'OtherVersion',
    base: 'found',
    server: 'found',
  };
  const withCode = (code: string) => Object.fromEntries(Object.keys(allowed).map((what) => [what, code]));

  it('for lack of file handles is not damage: its cause is reported, and nothing is moved', async () => {
    const limited = ['sh', '-c', 'ulimit -n 96; exec "$@"', 'sh'];
    const output = await outputOf(runChild('read-refused.ts', [empty('no-handles'), 'handles'], limited));
    expect(JSON.parse(output)).toEqual({ refused: withCode('EMFILE'), moved: [], allowed });
  }, 120_000);

  it('for lack of rights is not damage', async () => {
    const wrapper =
      process.getuid?.() === 0
        ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search', '--inh-caps', '-all']
        : [];
    const output = await outputOf(runChild('read-refused.ts', [empty('no-rights'), 'rights'], wrapper));
    const { refused, ...others } = JSON.parse(output) as { refused: Record<string, string> };
    expect(refused).toEqual(withCode('EACCES'));
    expect(others).toEqual({ moved: [], allowed });
  }, 120_000);
});
