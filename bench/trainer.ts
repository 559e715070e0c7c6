import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type TrainerSettings, trainerSettingsSchema } from '../src/config/contract.ts';
import { embeddedModel } from '../src/config/experiment.ts';
import { childEnvironment, projectRoot, tools } from '../src/config/installation.ts';
import { createGpuGate, type GpuGate } from '../src/engines/gpu-gate.ts';
import { createTrainerProcess, type TrainerProcess } from '../src/engines/process/trainer-process.ts';
import { createTrainerProcesses } from '../src/engines/trainer/process.ts';
import type { Benchmark, BenchmarkSettings } from './benchmark.ts';
import { modelOfShape } from './shapes.ts';
import { median, spread } from './statistics.ts';
import { table } from './table.ts';

const seed = 1;

/** What is trained, on which rows, and how often it is measured. */
type Work = {
  readonly model: string;
  readonly rows: string;
  readonly settings: TrainerSettings;
  readonly repeats: number;
  /** Whether the models of two processes need the memory of a card: then a process ends with its job. */
  readonly large: boolean;
};

/** The settings of the quickstart, but with a constant number of rows in a step. */
const smallSettings = trainerSettingsSchema.parse({
  learning_rate: 8e-4,
  per_device_train_batch_size: 16,
  gradient_accumulation_steps: 1,
  warmup_ratio: 0,
  lora_r: 8,
  lora_alpha: 16,
  num_train_epochs: 1,
  save_steps: 1_000_000,
});

/** The memory that a card needs for a model, for plain TRL's micro-batches of 2 rows. The small one is there to see on a CPU that this works. */
const gigabytes = { '4b': 40, '8b': 80, small: 0 };

/** Adapters of the default size. A step has 16 rows: plain TRL trains 2 at a time, ours as many as it finds room for. */
const largeSettings = trainerSettingsSchema.parse({
  learning_rate: 1e-4,
  per_device_train_batch_size: 2,
  gradient_accumulation_steps: 8,
  warmup_ratio: 0,
  max_length: 2_048,
  num_train_epochs: 1,
  save_steps: 1_000_000,
});

async function workOf({ quick, shape, folder }: BenchmarkSettings): Promise<Work> {
  if (shape === undefined)
    return {
      model: join(projectRoot, embeddedModel),
      rows: rowsOfDebates(quick ? 96 : 512),
      settings: smallSettings,
      repeats: quick ? 1 : 5,
      large: false,
    };
  return {
    model: await modelOfShape(shape, folder, gigabytes),
    rows: longRowsOfDebates(quick ? 4 : 256),
    settings: largeSettings,
    repeats: quick ? 1 : 3,
    large: true,
  };
}

/**
 * The tokens a second of our trainer and of a plain script of TRL's SFTTrainer (plain_trl.py), on the same rows with the same settings, each with
 * padded rows and with rows that follow each other without padding. They take turns; one thread each on a CPU. Loading is not counted. Then, for the
 * embedded model, the time of one job for each core, one after another and side by side, in turns. With a shape, the model is a larger one with
 * rows of 500 to 1,000 tokens. Aim on a card: 12,000 tokens/s for 4b.
 */
export const trainer: Benchmark = async (given) => {
  const { folder, quick } = given;
  mkdirSync(folder, { recursive: true });
  const work = await workOf(given);
  const { repeats, large } = work;
  const rows = join(folder, 'rows.jsonl');
  writeFileSync(rows, work.rows);
  const measured = new Map<string, Run[]>();
  let tokens = 0;
  const gate = createGpuGate();
  const kinds = [false, true].map((paddingFree) => ({
    paddingFree,
    ours: createTrainerProcess({
      logFolder: folder,
      gate,
      device: { padding_free: paddingFree },
      args: ['--threads', '1'],
    }),
  }));
  const add = (kind: string, run: Run): void => void measured.set(kind, [...(measured.get(kind) ?? []), run]);

  // Round 0 warms up.
  for (let repeat = quick ? 1 : 0; repeat <= repeats; repeat += 1) {
    for (const { paddingFree, ours } of kinds) {
      const name = paddingFree ? 'without padding' : 'padded';
      const trained = await train(ours, work, rows, join(folder, `${name}-${repeat}`));
      if (large) await ours.close();
      const plain = await plainTrl(work, rows, paddingFree, folder);
      tokens = trained.tokens;
      if (repeat === 0) continue;
      add(`ours, ${name}`, trained);
      add(`plain TRL, ${name}`, plain);
    }
  }
  await Promise.all(kinds.map(async ({ ours }) => ours.close()));

  const padded = measured.get('plain TRL, padded') ?? [];
  const figures = [...measured].map(([kind, runs]) => ({
    kind,
    tokensPerSecond: runs.map(({ seconds }) => tokens / seconds),
    ratios: runs.map(({ seconds }, pair) => (padded[pair]?.seconds ?? Number.NaN) / seconds),
    lossDifference: Math.max(
      ...runs.flatMap(({ losses }) =>
        losses.map((loss, step) => Math.abs(loss / (padded[0]?.losses[step] ?? Number.NaN) - 1)),
      ),
    ),
  }));
  const lines = figures.map(({ kind, tokensPerSecond, ratios, lossDifference }) => [
    kind,
    median(tokensPerSecond).toFixed(0),
    median(ratios).toFixed(2),
    spread(ratios, 2),
    lossDifference.toExponential(1),
  ]);
  const head = ['trainer', 'tokens/s', 'ratio', 'least to most', 'loss differs by'];
  const size = `${rowCount(work.rows)} rows of ${Math.round(tokens / rowCount(work.rows))} tokens on average`;
  const beside = large ? undefined : await sideBySide(work, rows, folder, gate);
  const text = [
    table(head, lines),
    `${given.shape ?? embeddedModel}: ${size}.`,
    ...(beside === undefined
      ? []
      : [
          `${availableParallelism()} jobs side by side take the time of one after another divided by ${median(beside).toFixed(2)} (${spread(beside, 2)})`,
        ]),
  ].join('\n');
  return {
    text,
    figures: { shape: given.shape ?? null, tokens, kinds: figures, sideBySide: beside ?? null },
  };
};

function rowCount(rows: string): number {
  return rows.trimEnd().split('\n').length;
}

/** How many times as long jobs take one after another as side by side, in each repeat: one job for each core. */
async function sideBySide(work: Work, rows: string, folder: string, gate: GpuGate): Promise<number[]> {
  const processes = createTrainerProcesses(() => createTrainerProcess({ logFolder: folder, gate }));
  let jobs = 0;
  const one = (): Promise<unknown> => train(processes, work, rows, join(folder, `beside-${(jobs += 1)}`));
  const together = (): Promise<unknown> => Promise.all(Array.from({ length: availableParallelism() }, one));
  const seconds = async (work: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await work();
    return (performance.now() - began) / 1000;
  };
  // The first job shows how much memory one takes; then all processes load their libraries.
  await one();
  await together();
  const ratios: number[] = [];
  for (let repeat = 0; repeat < work.repeats; repeat += 1) {
    const inTurn = await seconds(async () => {
      for (let job = 0; job < availableParallelism(); job += 1) await one();
    });
    ratios.push(inTurn / (await seconds(together)));
  }
  await processes.close();
  return ratios;
}

type Run = { readonly seconds: number; readonly losses: readonly number[] };

async function train(
  ours: TrainerProcess,
  { model, settings }: Pick<Work, 'model' | 'settings'>,
  dataset: string,
  output: string,
): Promise<Run & { readonly tokens: number }> {
  let began = 0;
  let ended = 0;
  const losses: number[] = [];
  const { manifest } = await ours.fineTune(
    {
      id: output,
      base_model: model,
      init_model: null,
      dataset,
      output_dir: output,
      checkpoint_dir: `${output}-checkpoints`,
      seed,
      settings,
    },
    {
      signal: new AbortController().signal,
      onEvent(event) {
        if (event.event === 'started') began = performance.now();
        if (event.event !== 'step') return;
        ended = performance.now();
        losses.push(event.loss);
      },
    },
  );
  return { seconds: (ended - began) / 1000, losses, tokens: manifest.tokens };
}

const runSchema = z.object({ seconds: z.number(), losses: z.array(z.number()) });

async function plainTrl(
  { model, settings }: Work,
  rows: string,
  paddingFree: boolean,
  folder: string,
): Promise<Run> {
  const script = fileURLToPath(new URL('./plain_trl.py', import.meta.url));
  const run = promisify(execFile)(tools().python, [script], { env: childEnvironment() });
  const wanted = {
    rows,
    model,
    settings,
    seed,
    padding_free: paddingFree,
    repeats: 1,
    folder: join(folder, 'trl'),
  };
  run.child.stdin?.end(`${JSON.stringify(wanted)}\n`);
  return runSchema.parse(JSON.parse((await run).stdout));
}

/** Rows as debates make them: first answers, and last answers after those of two others, which are four times as long. */
function rowsOfDebates(count: number): string {
  return Array.from({ length: count }, (_, place) => {
    const [a, b, c, d] = [2 + (place % 18), 2 + (place % 8), 2 + (place % 7), 2 + (place % 5)];
    const question = { role: 'user', content: `${a}+${b}*${c}-${d}` };
    const answer = (wrong: number): string =>
      `${b}*${c}=${b * c}, ${a}+${b * c}=${a + b * c}, \\boxed{${a + b * c - d + wrong}}`;
    const others = [0, place % 3, 1].map(answer).join('\n');
    const dialogue = [
      question,
      { role: 'assistant', content: answer(place % 2) },
      { role: 'user', content: others },
    ];
    const row = {
      prompt: place % 2 === 0 ? [question] : dialogue,
      completion: [{ role: 'assistant', content: answer(0) }],
    };
    return `${JSON.stringify(row)}\n`;
  }).join('');
}

/** Rows of 500 to 1,000 tokens: longer questions, of which a row shows others' answers and ends with an own one. */
function longRowsOfDebates(count: number): string {
  return Array.from({ length: count }, (_, place) => {
    const step = (number: number): string => {
      const [a, b] = [2 + ((place * 7 + number * 3) % 90), 2 + ((place + number) % 9)];
      return `${a}*${b}=${a * b};`;
    };
    const steps = (first: number, many: number): string =>
      Array.from({ length: many }, (__, number) => step(first + number)).join('');
    // The tokenizer has a token for each character, and a step has some eight. A third of a row is learnt.
    const most = 19 + ((place * 17) % 19);
    const row = {
      prompt: [{ role: 'user', content: `>${steps(0, most)}\n>${steps(1, most)}` }],
      completion: [{ role: 'assistant', content: `${steps(2, most)}\\boxed{${place}}` }],
    };
    return `${JSON.stringify(row)}\n`;
  }).join('');
}
