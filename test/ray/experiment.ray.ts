/** Whole experiments, with a server and a worker of their own whose trainer is a real Ray: they make what they make with a trainer on the worker's machine. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { projectRoot } from '../../src/config/installation.ts';
import type { RayConfig, TrainerConfig } from '../../src/config/trainers.ts';
import { requireDocument } from '../../src/store/files/documents.ts';
import { findModel } from '../../src/store/models.ts';
import { experimentResultSchema } from '../../src/store/records/result.ts';
import { experimentFiles, openStore, type Store } from '../../src/store/store.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { tablesOf } from '../support/tables-of.ts';
import { until } from '../support/until.ts';
import { end, python, type RealRay, startRay, tokenVariable } from './real-ray.ts';

const name = 'small';
/** Four fine-tunes with some forty optimiser steps each, and a checkpoint after each step. */
const settings = [
  `name=${name}`,
  'iterations=1',
  'agents=2',
  'task.train_size=48',
  'task.test_size=32',
  'fine_tune.num_train_epochs=20',
  'fine_tune.save_steps=1',
];
/** A minute or two on an idle machine. */
const longestMs = 1_500_000;
const roots = { process: temporaryFolder(), ray: temporaryFolder(), killed: temporaryFolder() };
let ray: RealRay;
let cluster: RayConfig;
let onProcess: unknown;

beforeAll(async () => {
  ray = await startRay({ cpus: 2 });
  cluster = { kind: 'ray', url: ray.url, api_key_env: tokenVariable, gpus_per_process: 0, python };
  onProcess = await made(await experiment(roots.process, { kind: 'process' }));
});
afterAll(() => ray.stop());

/** Runs the experiment as a person does: the command starts a Temporal dev server and a worker, and the worker reads trainers.yaml. */
async function experiment(root: string, trainer: TrainerConfig): Promise<Store> {
  const trainers = join(root, 'trainers.yaml');
  // The trainer of experiments that name none.
  writeFileSync(trainers, JSON.stringify({ local: trainer }));
  const inherited = Object.entries(process.env).filter(([variable]) => !variable.startsWith('TEMPORAL_'));
  const store = join(root, 'runs');
  mkdirSync(store);
  await promisify(execFile)(
    process.execPath,
    [join(projectRoot, 'bin', 'colloquy.mjs'), 'quickstart', '--json', ...settings],
    {
      cwd: projectRoot,
      maxBuffer: 2 ** 26,
      timeout: longestMs,
      env: { ...Object.fromEntries(inherited), COLLOQUY_STORE: store, COLLOQUY_TRAINERS: trainers },
    },
  );
  return openStore(store);
}

/** What an experiment has made: debates, datasets, outcomes and figures, and the weights of its adapters. */
async function made(store: Store): Promise<unknown> {
  const files = experimentFiles(store, name);
  const { evaluations, iterations } = await requireDocument(files.result, experimentResultSchema);
  const keys = iterations.flatMap(({ fineTunes }) => fineTunes.flatMap(({ model }) => model ?? []));
  expect(keys).toHaveLength(4);
  const adapters = await Promise.all(
    keys.map(async (key) => (await findModel(store, key))?.files['adapter_model.safetensors']?.sha256),
  );
  expect(new Set(adapters).size).toBe(4);
  return { evaluations, iterations, adapters, tables: await tablesOf(files.folder.where) };
}

/** The folders of all attempts on Ray whose model is not finished yet. */
function attemptsIn(root: string): string[] {
  const models = join(root, 'runs', 'models');
  const folders = readdirSafe(models).filter((each) => each.endsWith('.checkpoints'));
  return folders.flatMap((each) => {
    const attempts = join(models, each, 'ray');
    return readdirSafe(attempts).map((number) => join(attempts, number));
  });
}

const eventSchema = z.looseObject({
  event: z.string(),
  step: z.number().optional(),
  resumed_from_step: z.number().optional(),
});

/** The events of an attempt so far; none when it has none, or no folder any more. */
function eventsIn(attempt: string): z.infer<typeof eventSchema>[] {
  try {
    const whole = readFileSync(join(attempt, 'events.jsonl'), 'utf8').split('\n').slice(0, -1);
    return whole.map((line) => eventSchema.parse(JSON.parse(line)));
  } catch (error) {
    if (isNotThere(error)) return [];
    throw error;
  }
}

function readdirSafe(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isNotThere(error)) return [];
    throw error;
  }
}

function isNotThere(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** Looks again and again until an experiment has ended. */
async function whileRunning(experimentEnds: Promise<Store>, look: () => void): Promise<Store> {
  let ended = false;
  const end = experimentEnds.finally(() => (ended = true));
  await Promise.all([
    end,
    until(
      'the experiment has ended',
      () => {
        if (!ended) look();
        return ended;
      },
      longestMs,
    ),
  ]);
  return end;
}

it('an experiment on Ray makes the datasets, the adapters and the outcomes of one on the worker’s machine', async () => {
  const root = roots.ray;
  const attempts = new Set<string>();
  const store = await whileRunning(experiment(root, cluster), () => {
    for (const attempt of attemptsIn(root)) attempts.add(attempt);
  });
  expect(await made(store)).toEqual(onProcess);
  // Ray has trained them, each at the first attempt.
  expect([...attempts].map((attempt) => attempt.slice(attempt.lastIndexOf('/')))).toEqual(
    Array(4).fill('/1'),
  );
});

it('a fine-tune whose job loses its supervisor goes on from its newest checkpoint, and the experiment makes the same', async () => {
  const root = roots.killed;
  const program = (attempt: string): string => join(attempt, 'engine', 'ray_job.py');
  let lost: { readonly attempt: string; readonly step: number } | undefined;
  let resumedFrom: number | undefined;
  let orphan = false;

  function look(): void {
    if (lost === undefined) {
      for (const attempt of attemptsIn(root)) {
        const step = eventsIn(attempt).findLast(({ event }) => event === 'checkpoint')?.step ?? 0;
        // The job's program is a child of its supervisor.
        const supervisor = ray.parentOf(program(attempt));
        if (step < 5 || supervisor === undefined) continue;
        end(supervisor, 'SIGKILL');
        lost = { attempt, step };
        return;
      }
      return;
    }
    const events = eventsIn(lost.attempt.replace(/1$/, '2'));
    resumedFrom ??= events.find(({ event }) => event === 'started')?.resumed_from_step;
    if (events.length > 0 && ray.process(program(lost.attempt)) !== undefined) orphan = true;
  }

  const store = await whileRunning(experiment(root, cluster), look);
  expect(await made(store)).toEqual(onProcess);
  expect(resumedFrom).toBeGreaterThanOrEqual(lost?.step ?? Infinity);
  expect(orphan).toBe(false);
});
