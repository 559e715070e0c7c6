import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isMade, isStale, makeOnce, withLock } from '../../scripts/setup/lock.mjs';

describe('the lock of the set-up', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'colloquy-lock-'));
    file = join(folder, 'deep', 'thing.lock');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('lets one in at a time, shows the others which process they wait for, and is gone afterwards', async () => {
    let inside = 0;
    let most = 0;
    const waitedFor: string[] = [];
    const visit = async (): Promise<void> => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    const onWait = (holder: string): unknown => waitedFor.push(holder);
    await Promise.all(Array.from({ length: 5 }, async () => withLock(file, visit, { onWait, pollMs: 1 })));
    expect(most).toBe(1);
    expect(waitedFor).toContain(`${hostname()} ${process.pid}`);
    expect(existsSync(file)).toBe(false);
  });

  it('is given back when the work fails', async () => {
    const failing = withLock(file, async () => Promise.reject(new Error('no space')));
    await expect(failing).rejects.toThrow('no space');
    expect(await withLock(file, async () => 'next')).toBe('next');
  });

  it('is taken from a process that has died', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(join(folder, 'dead.lock'), `${hostname()} ${pid}\n`);
    expect(isStale(join(folder, 'dead.lock'))).toBe(true);
    expect(await withLock(join(folder, 'dead.lock'), async () => 'mine')).toBe('mine');
  });

  it('is respected when its holder lives, or is on another machine, until it was not renewed for long', () => {
    const other = join(folder, 'other.lock');
    writeFileSync(other, `${hostname()} ${process.pid}\n`);
    expect(isStale(other)).toBe(false);
    writeFileSync(other, 'another-machine 1\n');
    expect(isStale(other)).toBe(false);
    const longAgo = new Date(Date.now() - 10 * 60_000);
    utimesSync(other, longAgo, longAgo);
    expect(isStale(other)).toBe(true);
  });

  it('lets a folder be made once, and again where its maker was killed or failed', async () => {
    const made = join(folder, 'made');
    mkdirSync(made);
    writeFileSync(join(made, 'half'), '');
    let times = 0;
    const make = async (): Promise<void> => {
      expect(existsSync(made)).toBe(false);
      mkdirSync(made);
      times += 1;
      if (times === 1) throw new Error('no network');
    };
    await expect(makeOnce(made, make)).rejects.toThrow('no network');
    expect(isMade(made)).toBe(false);
    await Promise.all([makeOnce(made, make), makeOnce(made, make)]);
    expect(times).toBe(2);
    expect(isMade(made)).toBe(true);
  });
});
