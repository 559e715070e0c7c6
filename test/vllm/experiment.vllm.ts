/** With a server and a worker of its own: experiments of two iterations on a real vLLM that the worker runs, and one of them on the embedded engine. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
async function accuracies(name: string, ...given: readonly string[]): Promise<number[]> {
  const settings = ['iterations=2', 'task.train_size=150', 'task.test_size=200', `name=${name}`, ...given];
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  const env = { ...Object.fromEntries(inherited), COLLOQUY_STORE: store, COLLOQUY_ENDPOINTS: endpoints };
  await promisify(execFile)(
    process.execPath,
    [join(projectRoot, 'bin', 'colloquy.mjs'), 'quickstart', '--json', ...settings],
    { env, cwd: projectRoot, maxBuffer: 2 ** 26 },
  );
  const result = JSON.parse(
    readFileSync(join(experimentFiles(openStore(store), name).folder.where, 'result.json'), 'utf8'),
  ) as { readonly evaluations: readonly { readonly debate: { readonly accuracy: number } }[] };
  return result.evaluations.map(({ debate }) => debate.accuracy);
}

function gain(values: readonly number[]): number {
  return (values.at(-1) ?? 0) - (values[0] ?? 0);
}

it('an experiment gains on a vLLM what it gains on the embedded engine', async () => {
  const onVllm = await accuracies('on-own', 'model.endpoint=own');
  process.stdout.write(`debate accuracy on vLLM: ${onVllm.join(', ')}\n`);
  const onLocal = await accuracies('on-local', 'model.endpoint=local');
  process.stdout.write(`debate accuracy on local: ${onLocal.join(', ')}\n`);
  expect(onVllm).toHaveLength(3);
  expect(gain(onVllm)).toBeGreaterThan(0);
  // The draws differ. Of 200 questions, a difference of gains of 15 points is three standard errors.
  expect(Math.abs(gain(onVllm) - gain(onLocal))).toBeLessThan(0.15);
});

it('whole models take turns on a vLLM, each is started once in a phase, and the experiment gains', async () => {
  const found = await accuracies(
    'whole-models',
    'model.endpoint=own',
    // A generation and a critic model for all agents.
    'method=single-agent',
    'fine_tune.method=full',
    'fine_tune.learning_rate=2e-4',
  );
  process.stdout.write(`debate accuracy with whole models on vLLM: ${found.join(', ')}\n`);
  expect(found).toHaveLength(3);
  expect(gain(found)).toBeGreaterThan(0);
  const logs = readdirSync(join(store, 'logs')).filter((name) => /^vllm-[0-9a-f]{64}\.log$/.test(name));
  expect(logs).toHaveLength(4);
  const starts = logs.map((name) => {
    const log = readFileSync(join(store, 'logs', name), 'utf8');
    return log.split('Initializing a V1 LLM engine').length - 1;
  });
  // The models of iteration 1 for its evaluation and for the debates of iteration 2, those of iteration 2 for its evaluation.
  expect(starts.toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2]);
});
