/**
 * kill -9 of the worker, in each phase. Real processes throughout; the instant engine and trainer stand in for the models, so that
 * every answer and every fine-tune is counted.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Phase, progressQuery } from '../../src/workflows/progress.ts';
import { startInstantEngine } from '../support/instant-engine.ts';
import { until } from '../support/until.ts';
import { startWorkerProcess } from '../support/worker-process.ts';
import { type Handle, type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

const input = { seed: 5, iterations: 1, shard_size: 16, task: { train_size: 96, test_size: 96 } };

/** By namespace: in which phase of which iteration the worker is killed. */
const moments: readonly [namespace: string, iteration: number, phase: Phase][] = [
  ['killed-1', 0, 'evaluating'],
  ['killed-2', 1, 'debating'],
  ['killed-3', 1, 'fine-tuning'],
  ['killed-4', 1, 'evaluating'],
];

describe('a worker that is killed', () => {
  let undisturbed: WorkflowRig;
  let expected: string[];
  beforeAll(async () => {
    undisturbed = await workflowRig('undisturbed');
    await (await undisturbed.start('undisturbed', input)).result();
    expected = await resultsOf(undisturbed.storeRoot, 'undisturbed');
  }, 120_000);
  afterAll(async () => {
    await undisturbed[Symbol.asyncDispose]();
  });

  it.concurrent.each(moments)(
    '(%s) in iteration %i while %s changes no dataset and no result, and repeats only what was in flight',
    async (namespace, iteration, phase) => {
      await using rig = await workflowRig(namespace, { worker: false });
      const asked = join(rig.storeRoot, 'asked.log');
      const learnt = join(rig.storeRoot, 'learnt.log');
      await using engine = await startInstantEngine(['--delay', '40', '--log', asked]);
      const environment = {
        TEMPORAL_ADDRESS: process.env['TEMPORAL_ADDRESS'] ?? '',
        TEMPORAL_NAMESPACE: namespace,
      };
      const args = [rig.storeRoot, engine.url, '--step-ms', '150', '--log', learnt];
      const first = await startWorkerProcess(environment, args);
      const handle = await rig.start('experiment', input);
      await until(`the phase is ${phase}`, () => isUnderWay(handle, iteration, phase, asked), 60_000);
      const fineTunes = iteration > 0 && phase !== 'debating';
      expect(await trainersOf(rig.storeRoot)).toHaveLength(fineTunes ? 1 : 0);
      await first.kill('SIGKILL');
      await until(
        'nothing that it started is left',
        async () => (await trainersOf(rig.storeRoot)).length === 0,
        10_000,
      );

      const second = await startWorkerProcess(environment, args);
      await handle.result();
      await second.kill('SIGTERM');

      expect(await resultsOf(rig.storeRoot, 'experiment')).toEqual(expected);
      const questions = (await readFile(asked, 'utf8')).trim().split('\n');
      // At most 16 requests wait for the engine, and as many answers for the journal.
      expect(questions.length - new Set(questions).size).toBeLessThanOrEqual(32);
      const finished = (await readFile(learnt, 'utf8'))
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('end'));
      expect(finished).toHaveLength(new Set(finished).size);
    },
    180_000,
  );
});

/** Every dataset, and the outcome of every held-out question. */
async function resultsOf(storeRoot: string, name: string): Promise<string[]> {
  const folder = join(storeRoot, name);
  const datasets = (await readdir(join(folder, 'iteration-1', 'datasets'))).toSorted();
  return Promise.all(
    [...datasets.map((file) => join('iteration-1', 'datasets', file)), 'evaluation.jsonl'].map((file) =>
      readFile(join(folder, file), 'utf8'),
    ),
  );
}

/** Whether the phase has begun and something in it was done. */
async function isUnderWay(handle: Handle, iteration: number, phase: Phase, asked: string): Promise<boolean> {
  const progress = await handle.query(progressQuery);
  if (progress.iteration !== iteration || progress.phase !== phase) return false;
  if (phase === 'fine-tuning') return progress.done > 0;
  const before = await countLines(asked);
  await until('more is asked', async () => (await countLines(asked)) > before + 40);
  return true;
}

async function countLines(path: string): Promise<number> {
  return (await readFile(path, 'utf8').catch(() => '')).split('\n').length;
}

/** Trainers that were started for this store. */
async function trainersOf(storeRoot: string): Promise<string[]> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    processes.map((each) => readFile(join('/proc', each, 'cmdline'), 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes('instant-trainer') && command.includes(storeRoot));
}
