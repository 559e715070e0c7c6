import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/config/project-root.ts';
import { openStore } from '../../src/store/open-store.ts';

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
});
