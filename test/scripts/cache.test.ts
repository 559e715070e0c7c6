import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from '../../scripts/setup/cache.mjs';
import { withLock } from '../../scripts/setup/lock.mjs';
import { SetupProblem } from '../../scripts/setup/set-up.mjs';

describe('the cache folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'colloquy-cache-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is made with the folders above it, and may be there already', () => {
    const deep = join(folder, 'a', 'b');
    makeFolder(deep);
    makeFolder(deep);
    expect(statSync(deep).isDirectory()).toBe(true);
  });

  it.each([
    ['below a file', 'file/colloquy'],
    ['is a file', 'file'],
    ['below /proc, where Node would try for ever', '/proc/colloquy/cache'],
  ])('that cannot be made ends the set-up with a clear sentence: it is %s', async (_, path) => {
    writeFileSync(join(folder, 'file'), '');
    const wanted = path.startsWith('/') ? path : join(folder, path);
    expect(() => makeFolder(wanted)).toThrow(SetupProblem);
    expect(() => makeFolder(wanted)).toThrow(`${wanted} cannot be used as a folder`);
    const locked = withLock(join(wanted, 'python.lock'), async () => 'done');
    await expect(locked).rejects.toMatchObject({ remedy: expect.stringContaining('set XDG_CACHE_HOME') });
  });
});
