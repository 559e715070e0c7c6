/**
 * A store that the code of 2026-11-25 wrote (commit ff64de0f, by its test/report/finished-experiment.ts with 24 questions and 1 iteration), kept as it
 * was. It has neither store.json nor what later versions added to their files; those of format 1 stay readable.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { experimentResultSchema } from '../../src/store/records/result.ts';
import { readDocument, writeDocument } from '../../src/store/files/documents.ts';
import { checkStore } from '../../src/cli/commands/doctor.ts';
import { colloquy } from '../cli/colloquy.ts';

const kept = fileURLToPath(new URL('older/2026-11-25', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'colloquy-older-'));
  await cp(kept, folder, { recursive: true });
  vi.stubEnv('COLLOQUY_STORE', folder);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

describe('an experiment of an older version', () => {
  it('is whole, and its result, debates and report are read', async () => {
    const store = openStore();
    expect((await checkStore(store)).faults).toEqual([]);
    const result = await readDocument(experimentFiles(store, 'old').result, experimentResultSchema);
    expect(result).toMatchObject({ formatVersion: 1, name: 'old', warnings: [] });
    expect(result?.evaluations.map(({ iteration }) => iteration)).toEqual([0, 1]);
    expect((await colloquy('show', 'old', 'heldout-00003')).out).toMatch(/^heldout-00003 iteration 1\n/);
    expect((await colloquy('report', 'old')).code).toBe(0);
    expect((await colloquy('compare', 'old', 'old')).code).toBe(0);
  });

  it('of a newer format is refused by name, and left as it is', async () => {
    const { result } = experimentFiles(openStore(), 'old');
    const content = JSON.parse(await readFile(join(folder, 'old', 'result.json'), 'utf8')) as object;
    await writeDocument(result, { ...content, formatVersion: 2 });
    const before = await readFile(join(folder, 'old', 'result.json'), 'utf8');
    const { code, err } = await colloquy('report', 'old');
    expect(code).toBe(1);
    expect(err).toMatch(/result\.json is intact, but another version of Colloquy wrote it.*formatVersion/);
    expect(await readFile(join(folder, 'old', 'result.json'), 'utf8')).toBe(before);
  });
});
