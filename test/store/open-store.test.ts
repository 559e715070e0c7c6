import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ZodError } from 'zod';
import { projectRoot } from '../../src/config/installation.ts';
import { openStore } from '../../src/store/store.ts';

afterEach(() => vi.unstubAllEnvs());

describe('the store', () => {
  it('is where COLLOQUY_STORE says, else in runs/', () => {
    vi.stubEnv('COLLOQUY_STORE', '');
    expect(openStore().root).toBe(join(projectRoot, 'runs'));
    vi.stubEnv('COLLOQUY_STORE', '/data/store');
    expect(openStore().experiment('mine')).toBe('/data/store/mine');
    expect(openStore('relative').root).toBe(join(process.cwd(), 'relative'));
  });

  it.each(['..', '.', '../x', 'a/b', '', 'models', 'Logs', 'a..b', '/etc'])(
    'has no experiment called %j',
    (name) => {
      expect(() => openStore('/data').experiment(name)).toThrow();
    },
  );

  it('gives every name a folder directly below its own, or none, whatever the name is', () => {
    const pathLike = fc.stringMatching(/^[a-zA-Z0-9._:~%/\\-]{0,12}$/);
    fc.assert(
      fc.property(fc.oneof(pathLike, fc.string({ unit: 'binary' })), (name) => {
        const store = openStore('/data');
        const places = {
          '/data': () => store.experiment(name),
          '/data/series': () => store.series(name),
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

function pathOrNone(place: () => string): string | null {
  try {
    return place();
  } catch (error) {
    if (error instanceof ZodError) return null;
    throw error;
  }
}
