/** Fine-tunes of the embedded model, for the contract of trainers and for what their kinds do beside it. */
import { trainerSettingsSchema, type TrainerSettings } from '../../src/config/contract.ts';
import type { FineTuneJob } from '../../src/engines/trainer/trainer.ts';
import { refOf, writeSealed } from '../../src/store/files/sealed.ts';
import type { Store } from '../../src/store/store.ts';
import { modelNamed } from '../support/models.ts';
import { embeddedModel } from './fixtures/adapter.ts';

export async function dataset(
  store: Store,
  name: string,
  rows: readonly object[],
): Promise<FineTuneJob['dataset']> {
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

/** Two steps a pass; a checkpoint at each step. */
export async function job(store: Store, changes?: Partial<TrainerSettings>): Promise<FineTuneJob> {
  return {
    init: modelNamed(embeddedModel),
    dataset: await dataset(store, 'rows', rows),
    seed: 1,
    settings: settings(changes),
  };
}
