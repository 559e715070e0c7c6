import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';

/**
 * All but `hosts`, which needs network namespaces and an S3 server (npm run test:hosts), and `versus`, which needs another checkout. The smallest shape is there
 * for machines without a card. `generation` starts a vLLM where one is installed, which takes minutes on a busy machine.
 */
const benchmarks = [
  'saturation',
  'generation',
  'authors',
  'overhead',
  'growth',
  'grader',
  'trainer',
  'trainer --shape small',
  'iteration',
];

describe('the benchmark', () => {
  it.each(benchmarks)('%s runs to its end and prints a table', { timeout: 600_000 }, (name) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'bench/bench.ts', ...name.split(' '), '--quick'],
      { cwd: projectRoot, encoding: 'utf8' },
    );
    expect(status, stderr.slice(-2_000)).toBe(0);
    expect(stdout).toContain('figures in');
    expect(stdout).toMatch(/[│|]/);
  });
});
