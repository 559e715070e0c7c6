import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ZodError } from 'zod';
import { projectRoot } from '../../src/config/installation.ts';
import { ArtifactMissing } from '../../src/store/errors.ts';
import { requireIntact, writeRows } from '../../src/store/files/rows.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { temporaryFolder } from './temporary-folder.ts';

afterEach(() => vi.unstubAllEnvs());

describe('the store', () => {
  it('is at COLLOQUY_STORE, else in runs/', () => {
    vi.stubEnv('COLLOQUY_STORE', '');
    expect(openStore().root).toBe(join(projectRoot, 'runs'));
    vi.stubEnv('COLLOQUY_STORE', '/data/store');
    expect(openStore().experiment('mine').where).toBe('/data/store/mine');
    expect(openStore('relative').root).toBe(join(process.cwd(), 'relative'));
  });

  it.each(['..', '.', '../x', 'a/b', '', 'models', 'Logs', 'a..b', '/etc'])(
    'has no experiment with the name %j',
    (name) => {
      expect(() => openStore('/data').experiment(name)).toThrow();
    },
  );

  it('gives every name a folder directly below its own, or refuses the name', () => {
    const pathLike = fc.stringMatching(/^[a-zA-Z0-9._:~%/\\-]{0,12}$/);
    fc.assert(
      fc.property(fc.oneof(pathLike, fc.string({ unit: 'binary' })), (name) => {
        const store = openStore('/data');
        const places = {
          '/data': () => store.experiment(name).where,
          '/data/series': () => store.series(name).where,
        };
        for (const [folder, place] of Object.entries(places)) {
          const path = pathOrNone(place);
          expect([null, join(folder, name)]).toContain(path);
          expect([null, `${folder}/${name}`]).toContain(path);
          expect(path ?? '').not.toMatch(/[\s\0\\]|\/\./);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

it('has references that stay valid when it is mounted at another path', async () => {
  const [here, there] = ['here', 'there'].map((name) => join(temporaryFolder(), name, '#1 100%'));
  const store = openStore(here);
  const ref = await writeRows(experimentFiles(store, 'mine').dataset(1, 2, 'critic'), [{ n: 1 }]);
  expect(ref.uri).toBe('mine/iteration-1/datasets/agent-2-critic.jsonl');
  mkdirSync(dirname(there!), { recursive: true });
  renameSync(here!, there!);
  const moved = openStore(there);
  await requireIntact(moved.place(ref.uri), ref);
  expect(await moved.blobs.localCopy(ref.uri)).toBe(join(there!, ref.uri));
  await expect(requireIntact(store.place(ref.uri), ref)).rejects.toThrow(ArtifactMissing);
});

function pathOrNone(place: () => string): string | null {
  try {
    return place();
  } catch (error) {
    if (error instanceof ZodError) return null;
    throw error;
  }
}
