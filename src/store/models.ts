import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ArtifactMissing } from './artifact-missing.ts';
import { moveAside } from './move-aside.ts';
import { type OnDamage, warnOfDamage } from './damage.ts';
import type { ModelRef } from './model-ref.ts';
import { readDocument } from './documents.ts';
import type { Store } from './open-store.ts';
import { sha256File } from './sha256-file.ts';

/** All that a fine-tune's weights depend on. */
export type ModelIngredients = {
  /** Hash of the base model's weights, or its name where another host keeps them. */
  readonly base: string;
  /** The key of the adapter that training starts from; null for a new one. */
  readonly init: string | null;
  readonly datasetSha256: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly seed: number;
};

/** The content address of a fine-tune: who asks for the same weights twice, in whatever experiment, finds the finished model. */
export function modelKey({ base, init, datasetSha256, settings, seed }: ModelIngredients): string {
  const sorted = Object.entries(settings).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([1, base, init, datasetSha256, sorted, seed]))
    .digest('hex');
}

/** As engine/train.py writes it, last of all: a folder with a manifest is a whole model. */
export const manifestSchema = z.object({
  steps: z.number().int(),
  tokens: z.number().int(),
  final_loss: z.number().nullable(),
  files: z.record(z.string(), z.object({ sha256: z.string(), bytes: z.number().int() })),
  versions: z.record(z.string(), z.string()),
});
export type ModelManifest = z.infer<typeof manifestSchema>;

/**
 * A finished fine-tune whose files all have the bytes that its manifest names; null when there is none. A damaged one is moved
 * aside, to be made again.
 */
export async function findModel(
  store: Store,
  key: string,
  onDamage: OnDamage = warnOfDamage,
): Promise<{ ref: ModelRef; manifest: ModelManifest } | null> {
  const model = store.model(key);
  if (!existsSync(model)) return null;
  const manifest = await readDocument(join(model, 'manifest.json'), manifestSchema).catch(() => null);
  const damaged = manifest === null ? 'manifest.json' : await damagedFile(model, manifest);
  if (manifest !== null && damaged === null) {
    return { ref: { kind: 'adapter', key, uri: pathToFileURL(model).href }, manifest };
  }
  const aside = await moveAside(model);
  // Another shard that uses the model may have found it first.
  if (aside !== null)
    onDamage({
      path: model,
      problem: `its ${damaged} is damaged or gone; moved to ${aside}; to be made again`,
    });
  return null;
}

async function damagedFile(model: string, { files }: ModelManifest): Promise<string | null> {
  for (const [name, { sha256 }] of Object.entries(files)) {
    if ((await sha256File(join(model, name)).catch(() => null)) !== sha256) return name;
  }
  return null;
}

/** @throws ArtifactMissing when a model is not whole: it has to be made again. Each is read through once a process. */
export async function requireModels(store: Store, models: readonly ModelRef[]): Promise<void> {
  for (const model of models) {
    if (model.kind === 'base') continue;
    const path = store.model(model.key);
    const known = readThrough.has(path) && existsSync(join(path, 'manifest.json'));
    if (!known && (await findModel(store, model.key)) === null) throw new ArtifactMissing(path);
    readThrough.add(path);
  }
}

const readThrough = new Set<string>();
