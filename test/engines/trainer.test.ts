/** The contract of every kind of trainer, on the stand-in trainer and on the real one. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot, tools } from '../../src/config/installation.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { openTrainer } from '../../src/engines/trainer/open.ts';
import type { FineTuneJob } from '../../src/engines/trainer/trainer.ts';
import type { Store } from '../../src/store/store.ts';
import { instantTrainer } from '../support/test-dependencies.ts';
import { type OpenTrainer, trainerContract } from './trainer.contract.ts';
import { dataset, job } from './training-jobs.ts';

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
