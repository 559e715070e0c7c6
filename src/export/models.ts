import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { colloquyVersion } from '../config/installation.ts';
import { below, type Place } from '../store/blobs.ts';
import { ArtifactDamaged, ArtifactMissing } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument } from '../store/files/documents.ts';
import { manifestOf, requireNotPruned, storedManifestSchema, type StoredManifest } from '../store/models.ts';
import { modelName, type Store } from '../store/store.ts';
import { NothingTrained } from './errors.ts';
import {
  agentModelsAfter,
  type AgentModel,
  type DistilledModel,
  type FinishedIteration,
} from './finished-iteration.ts';
import { publishExport } from './folder.ts';
import { hostedModelCard, modelCard, wholeModelCard } from './model-card.ts';

/** The models of an export: the folders that were written, and the models that are still the base model, so that there is nothing to copy. */
export type ExportedModels = { readonly models: readonly string[]; readonly stillBase: readonly string[] };

/**
 * Copies the models that the agents have after an iteration into a folder: below it one folder for each agent and role, with a model card.
 * peft loads an adapter, transformers a whole model. Of a model that a server keeps there is the card alone, with its name.
 *
 * @param wanted which models. Default: those of all agents
 * @param path of the folder, absolute
 * @throws ExportFolderTaken, OutputNotWritable, DiskFull, NothingTrained when all are still the base model, ArtifactMissing, ArtifactDamaged,
 *   ModelPruned
 */
export async function exportModels(
  store: Store,
  done: FinishedIteration,
  path: string,
  wanted?: readonly (AgentModel | DistilledModel)[],
): Promise<ExportedModels> {
  const { experiment, iteration } = done;
  const models: string[] = [];
  const stillBase: string[] = [];
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format: 'models' };
  await publishExport(path, facts, async (folder) => {
    for (const model of wanted ?? (await agentModelsAfter(done))) {
      const name = modelName(model.agent, model.role);
      if (model.key === null) {
        stillBase.push(name);
        continue;
      }
      const manifest = await copyModel(store, model.key, join(folder, name));
      const readme = cardOf(join(path, name), model, manifest, done);
      await writeAtomically(join(folder, name, 'README.md'), [Buffer.from(readme)]);
      models.push(name);
    }
    if (models.length === 0)
      throw new NothingTrained(
        experiment,
        `after iteration ${iteration} every model is still the base model`,
      );
  });
  return { models, stillBase };
}

function cardOf(
  folder: string,
  model: AgentModel | DistilledModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  if (manifest.hosted !== undefined) return hostedModelCard(folder, model, manifest, manifest.hosted, done);
  return (manifest.form === 'full' ? wholeModelCard : modelCard)(folder, model, manifest, done);
}

/**
 * Copies the files of a finished fine-tune, each compared with the hash in its manifest. The manifest is returned and not copied: it
 * belongs to the store.
 *
 * @throws ArtifactMissing, ArtifactDamaged, ModelPruned, DiskFull, StoreNotWritable
 */
export async function copyModel(store: Store, key: string, to: string): Promise<StoredManifest> {
  await requireNotPruned(store, key);
  const model = store.model(key);
  const manifest = await readDocument(manifestOf(model), storedManifestSchema);
  if (manifest === null) throw new ArtifactMissing(model.where);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const from = below(model, name);
    const hash = createHash('sha256');
    await writeAtomically(join(to, name), hashed(from, hash));
    const found = hash.digest('hex');
    if (found !== sha256) throw new ArtifactDamaged(from.where, `sha256 ${sha256}`, found);
  }
  return manifest;
}

async function* hashed(
  { blobs, name }: Place,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of blobs.stream(name)) {
    hash.update(piece);
    yield piece;
  }
}
