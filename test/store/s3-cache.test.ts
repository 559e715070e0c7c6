/** Copies on this host of what is in a bucket. */
import { existsSync } from 'node:fs';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createCache } from '../../src/store/s3/cache.ts';
import { CacheFull } from '../../src/store/s3/errors.ts';
import type { Listed } from '../../src/store/s3/objects.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('a cache', () => {
  let folder: string;
  let reads: string[];
  beforeEach(() => {
    folder = join(temporaryFolder(), 'cache');
    reads = [];
  });
  const kilobyte = 1e-6;
  const object = (name: string, tag: string, bytes = 600): Listed => ({ name, bytes, tag });
  const read = async function* ({ name, tag, bytes }: Listed): AsyncGenerator<Buffer> {
    reads.push(name);
    yield Buffer.from(`${name} ${tag} `.padEnd(bytes, '.'));
  };
  const model = (key: string, tag = 'v1') => [
    object(`models/${key}/weights`, tag),
    object(`models/${key}/sub/config`, tag, 100),
  ];
  const wasUsedTwoDaysAgo = (path: string) => {
    const at = new Date(Date.now() - 2 * 86_400_000);
    return utimes(dirname(path), at, at);
  };

  it('reads what it copies once, for callers at the same time, later ones and other processes', async () => {
    const [mine, theirs] = [createCache(folder, 1), createCache(folder, 1)];
    const paths = await Promise.all([1, 2, 3].map(() => mine.copy('models/m', model('m'), read)));
    expect(await theirs.copy('models/m', model('m'), read)).toBe(paths[0]);
    expect(new Set(paths).size).toBe(1);
    expect(reads).toHaveLength(2);
    expect(await readFile(join(paths[0]!, 'sub', 'config'), 'utf8')).toMatch(/^models\/m\/sub\/config v1 /);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('has another copy of a changed object, and one copy of the same files under two names', async () => {
    const cache = createCache(folder, 1);
    const before = await cache.copy('a/data', [object('a/data', 'v1')], read);
    expect(await cache.copy('a/data', [object('a/data', 'v2')], read)).not.toBe(before);
    expect(await cache.copy('b/data', [object('b/data', 'v1')], read)).toBe(before);
  });

  it('removes what was used longest ago to make room, and never what was needed within the last day', async () => {
    const cache = createCache(folder, 2 * kilobyte);
    const [old, older] = [
      await cache.copy('models/a', model('a'), read),
      await cache.copy('models/b', model('b', 'v2'), read),
    ];
    await wasUsedTwoDaysAgo(old);
    await wasUsedTwoDaysAgo(older);
    // It is needed now.
    await cache.copy('models/b', model('b', 'v2'), read);
    const third = await cache.copy('models/c', model('c', 'v3'), read);
    expect([old, older, third].map((path) => existsSync(path))).toEqual([false, true, true]);
    const fourth = cache.copy('models/d', model('d', 'v4'), read);
    await expect(fourth).rejects.toThrow(CacheFull);
    await expect(fourth).rejects.toThrow(/models\/d \(7\.00e-7 GB\) does not fit.*COLLOQUY_CACHE_GB/s);
    // A copy that was removed is made again.
    await wasUsedTwoDaysAgo(third);
    expect(existsSync(await cache.copy('models/a', model('a'), read))).toBe(true);
  });

  it('has nothing of a copy that could not be made', async () => {
    const cache = createCache(folder, 1);
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('half');
      throw new Error('the network');
    };
    await expect(cache.copy('models/m', model('m'), failing)).rejects.toThrow('the network');
    expect(await readdir(folder)).toEqual([]);
    expect(existsSync(await cache.copy('models/m', model('m'), read))).toBe(true);
  });

  it('gives the bytes of a copy that is intact and still what the store has', async () => {
    const cache = createCache(folder, 1);
    const [weights, config] = model('m');
    const path = await cache.copy('models/m', model('m'), read);
    const found = async (name: string, now: Listed | null) => {
      const bytes = await cache.find(name, async () => now);
      if (bytes === null) return null;
      const pieces: Buffer[] = [];
      for await (const piece of bytes) pieces.push(piece);
      return String(Buffer.concat(pieces)).trim().split(' ')[1];
    };
    expect(await found(weights!.name, weights!)).toBe('v1');
    expect(await found('models/other', weights!)).toBeNull();
    expect(await found(weights!.name, { ...weights!, tag: 'v2' })).toBeNull();
    expect(await found(weights!.name, null)).toBeNull();
    // The disk spoils it: the store is read, and the copy made again.
    await writeFile(join(path, 'weights'), 'spoilt');
    expect(await found(weights!.name, weights!)).toBeNull();
    expect(await found(config!.name, config!)).toBeNull();
    await cache.copy('models/m', model('m'), read);
    expect(await found(weights!.name, weights!)).toBe('v1');
  });
});
