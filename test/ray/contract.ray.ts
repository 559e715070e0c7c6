/** The contract of every kind of trainer, on a real Ray with one core: one fine-tune at a time. */
import { afterAll } from 'vitest';
import { openTrainer } from '../../src/engines/trainer/open.ts';
import { createGpuGate } from '../../src/engines/gpu-gate.ts';
import { trainerContract } from '../engines/trainer.contract.ts';
import { dataset, job } from '../engines/training-jobs.ts';
import { end, python, startRay, tokenVariable } from './real-ray.ts';

const ray = await startRay({ cpus: 1 });
afterAll(() => ray.stop());

trainerContract({
  kind: 'ray',
  // A job takes half a minute of one core, most of which is the start of Ray Train.
  timeoutMs: 1_800_000,
  open: (store) => ({
    trainer: openTrainer(
      { kind: 'ray', url: ray.url, api_key_env: tokenVariable, gpus_per_process: 0, python },
      { store, gate: createGpuGate(), ray: { pollMs: 200 } },
    ),
    kill: () => {
      const driver = ray.process('ray_job.py');
      if (driver !== undefined) end(driver, 'SIGKILL');
    },
  }),
  short: (store) => job(store),
  long: (store) => job(store, { num_train_epochs: 1000 }),
  failing: async (store) => ({
    job: { ...(await job(store)), dataset: await dataset(store, 'bad', [{ text: 'no dialogue' }]) },
    kind: 'bad_data',
  }),
});
