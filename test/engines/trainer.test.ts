/** The contract of every kind of trainer, on the stand-in trainer and on the real one. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { trainerSettingsSchema, type TrainerSettings } from '../../src/config/contract.ts';
import { projectRoot, tools } from '../../src/config/installation.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { openTrainer } from '../../src/engines/trainer/open.ts';
import type { FineTuneJob } from '../../src/engines/trainer/trainer.ts';
import { refOf, writeSealed } from '../../src/store/files/sealed.ts';
import type { Store } from '../../src/store/store.ts';
import { modelNamed } from '../support/models.ts';
import { instantTrainer } from '../support/test-dependencies.ts';
import { embeddedModel } from './fixtures/adapter.ts';
import { type OpenTrainer, trainerContract } from './trainer.contract.ts';

/** A trainer of kind `process` whose process writes its id into a file, so that it can be killed. */
function processTrainer(store: Store, program: readonly string[], args: readonly string[]): OpenTrainer {
  const pidFile = join(mkdtempSync(join(tmpdir(), 'colloquy-trainer-')), 'pid');
  const trainer = openTrainer(
    { kind: 'process' },
    {
      store,
      gate: createGpuGate(),
      process: { command: ['/bin/sh', '-c', `echo $$ > ${pidFile}; exec "$@"`, 'sh', ...program], args },
    },
  );
  return { trainer, kill: () => process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL') };
}

async function dataset(store: Store, name: string, rows: readonly object[]): Promise<FineTuneJob['dataset']> {
  const place = store.place(`data/${name}.jsonl`);
  const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return refOf(place, await writeSealed(place, [{ bytes, rows: rows.length }]));
}

const rows = Array.from({ length: 8 }, (_, index) => ({
  prompt: [{ role: 'user', content: `1+${index}` }],
  completion: [{ role: 'assistant', content: String.raw`\boxed{${index + 1}}` }],
}));

function settings(changes: Partial<TrainerSettings> = {}): TrainerSettings {
  return trainerSettingsSchema.parse({
    per_device_train_batch_size: 4,
    gradient_accumulation_steps: 1,
    max_length: 64,
    lora_r: 4,
    save_steps: 1,
    ...changes,
  });
}

async function job(store: Store, changes?: Partial<TrainerSettings>): Promise<FineTuneJob> {
  return {
    init: modelNamed(embeddedModel),
    dataset: await dataset(store, 'rows', rows),
    seed: 1,
    settings: settings(changes),
  };
}

const control = mkdtempSync(join(tmpdir(), 'colloquy-trainer-control-'));
const long = (store: Store): Promise<FineTuneJob> => job(store, { num_train_epochs: 1000 });

trainerContract({
  kind: 'process, on the stand-in trainer',
  open: (store) =>
    processTrainer(
      store,
      [process.execPath, instantTrainer],
      ['--control', control, '--log', join(control, 'log'), '--step-ms', '5'],
    ),
  short: job,
  long,
  failing: async (store) => {
    writeFileSync(join(control, 'fault'), JSON.stringify({ kind: 'nan', times: 1 }));
    return { job: await job(store), kind: 'nan_loss' };
  },
});

trainerContract({
  kind: 'process, on the real train.py',
  open: (store) =>
    processTrainer(store, [tools().python, join(projectRoot, 'engine/train.py')], ['--threads', '1']),
  short: job,
  long,
  failing: async (store) => ({
    job: { ...(await job(store)), dataset: await dataset(store, 'bad', [{ text: 'no dialogue' }]) },
    kind: 'bad_data',
  }),
});
