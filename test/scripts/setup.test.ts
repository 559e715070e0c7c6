import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));

describe('scripts/setup.mjs', () => {
  it('takes less than a second when nothing changed', () => {
    setUp();
    const again = setUp();
    expect(again.stderr).toBe('');
    expect(Number(/ready in (\d+\.\d) s/.exec(again.stdout)?.[1])).toBeLessThan(1);
  });

  it('names the remedy when Python and Go are missing', () => {
    const { status, stderr } = setUp({
      PATH: '/nowhere',
      XDG_CACHE_HOME: '/nowhere',
      TEMPORAL_CLI_PATH: '/nowhere/temporal',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/TEMPORAL_CLI_PATH names \/nowhere\/temporal, which does not run/);
    expect(stderr).toMatch(/-> Point it at a Temporal CLI/);
  });

  function setUp(environment: NodeJS.ProcessEnv = {}): {
    status: number | null;
    stdout: string;
    stderr: string;
  } {
    expect(existsSync(script)).toBe(true);
    return spawnSync(process.execPath, [script], {
      encoding: 'utf8',
      env: { ...process.env, ...environment },
    });
  }
});
