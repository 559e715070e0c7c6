/** The engine's own tests (pytest, engine/tests) as part of `npm test`: each of them is one test here. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { tools } from '../../src/config/installation.ts';
import { parsePytest } from './pytest-output.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pytest = spawnSync(tools().python, ['-m', 'pytest', '-v', '--color=no', '--tb=short', 'engine/tests'], {
  cwd: root,
  encoding: 'utf8',
  timeout: 900_000,
  maxBuffer: 2 ** 26,
});
const tests = parsePytest(pytest.stdout);

describe('engine, in Python', () => {
  it('runs to its end', () => {
    const nothingCollected = 5;
    expect(pytest.status === 0 || pytest.status === 1 || pytest.status === nothingCollected, said()).toBe(
      true,
    );
    expect(tests.length > 0 || pytest.status === nothingCollected, said()).toBe(true);
  });

  for (const { name, outcome, account } of tests) {
    it.skipIf(outcome === 'skipped')(name, () => {
      expect(outcome, account).toBe('passed');
    });
  }
});

function said(): string {
  return `pytest: exit code ${pytest.status}\n${pytest.stdout}\n${pytest.stderr}`;
}
