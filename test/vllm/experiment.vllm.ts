/** With a server and a worker of its own: an experiment of two iterations on a real vLLM that the worker runs, and the same on the embedded engine. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { experimentFiles, openStore } from '../../src/store/store.ts';
import { command } from './real-vllm.ts';

const store = mkdtempSync(join(tmpdir(), 'colloquy-vllm-runs-'));
const endpoints = join(store, 'endpoints.yaml');
writeFileSync(endpoints, JSON.stringify({ own: { kind: 'vllm', command } }));

/** The held-out accuracies of the debate: of the base model, then after each iteration. */
async function accuracies(endpoint: string): Promise<number[]> {
  const settings = [
    'iterations=2',
    'task.train_size=150',
    'task.test_size=200',
    `model.endpoint=${endpoint}`,
  ];
  const given = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  const env = { ...Object.fromEntries(given), COLLOQUY_STORE: store, COLLOQUY_ENDPOINTS: endpoints };
  await promisify(execFile)(
    process.execPath,
    [join(projectRoot, 'bin', 'colloquy.mjs'), 'quickstart', '--json', `name=on-${endpoint}`, ...settings],
    { env, cwd: projectRoot, maxBuffer: 2 ** 26 },
  );
  const result = JSON.parse(
    readFileSync(
      join(experimentFiles(openStore(store), `on-${endpoint}`).folder.where, 'result.json'),
      'utf8',
    ),
  ) as { readonly evaluations: readonly { readonly debate: { readonly accuracy: number } }[] };
  return result.evaluations.map(({ debate }) => debate.accuracy);
}

it('an experiment gains on a vLLM what it gains on the embedded engine', async () => {
  const onVllm = await accuracies('own');
  process.stdout.write(`debate accuracy on vLLM: ${onVllm.join(', ')}\n`);
  const onLocal = await accuracies('local');
  process.stdout.write(`debate accuracy on local: ${onLocal.join(', ')}\n`);
  const gain = (values: readonly number[]): number => (values.at(-1) ?? 0) - (values[0] ?? 0);
  expect(onVllm).toHaveLength(3);
  expect(gain(onVllm)).toBeGreaterThan(0);
  // The draws differ. Of 200 questions, a difference of gains of 15 points is three standard errors.
  expect(Math.abs(gain(onVllm) - gain(onLocal))).toBeLessThan(0.15);
});
