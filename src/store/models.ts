/** Which model is it, is it whole, and where is it? Base models, fine-tunes by content address, and the agents that have them. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fineTuneManifestSchema, type TrainerSettings } from '../config/contract.ts';
import { type ModelForm, modelForms } from '../config/fine-tune.ts';
import { below, isName, isThere, type Place, remove, setAside } from './blobs.ts';
import { fileBlobs } from './blobs-file.ts';
import { ArtifactDamaged, ArtifactMissing, ModelPruned } from './errors.ts';
import { type OnDamage, readDocument, warnOfDamage, writeDocument } from './files/documents.ts';
import { isSealed, sealAsItIs, sealedBytesOf } from './files/sealed.ts';
import type { Store } from './store.ts';

/** A model that was not made here, and the endpoint that serves it. */
export const baseModelSchema = z
  .strictObject({
    /** The name of the endpoint that serves it. */
    endpoint: z.string(),
    /** A folder, a hub id, or the server's name for it. */
    name: z.string(),
    /** The name under which a hosted model answers, where that is another one (`large-2411` for `large-latest`); null otherwise. */
    revision: z.string().nullable(),
    /** A short name made from the hash of its weights (see `baseModelHash`); the model's name where another host has the weights. */
    weights: z.string(),
    /** A hash of the other files that decide its answers: tokenizer, chat template, configuration. Only where its folder is on the worker's machine. */
    files: z.string().optional(),
  })
  .readonly();
export type BaseModel = z.infer<typeof baseModelSchema>;

export const contentAddress = z.string().regex(/^[0-9a-f]{64}$/);

/** A model anywhere in the product: its base, and what was trained here. Only the store, endpoints and trainers look inside. */
export const modelSchema = z
  .strictObject({
    base: baseModelSchema,
    /** Null for the base model itself. */
    tuned: z
      .strictObject({
        /** The content address: a hash of everything that determines the weights (base, data, settings, seed, initial model). */
        key: contentAddress,
        /** `adapter`: a folder in PEFT's format, which is loaded on top of the base. `full`: a whole model. `hosted`: a name at a server. */
        form: z.enum(modelForms),
        /** Older versions wrote it. The model's manifest has the objective. */
        objective: z.literal('sft').optional(),
      })
      .readonly()
      .nullable(),
  })
  .readonly();
export type Model = z.infer<typeof modelSchema>;

/** `base` without a fine-tune. */
export function untuned(base: BaseModel): Model {
  return { base, tuned: null };
}

/** The result of a fine-tune of `base`. */
export function tunedModel(base: BaseModel, key: string, form: ModelForm): Model {
  return { base, tuned: { key, form } };
}

/** A name for the weights of a model: models with the same name give the same answers. */
export function weightsOf({ base, tuned }: Model): string {
  return tuned?.key ?? base.weights;
}

/** Reads also the manifests of older versions, which lack some of these measures. All models of those versions are adapters. */
export const storedManifestSchema = z.preprocess(
  (manifest) => {
    const older = z.looseObject({ init_adapter: z.unknown() }).safeParse(manifest).data;
    return older === undefined ? manifest : { init_model: older.init_adapter, ...older };
  },
  fineTuneManifestSchema.extend({
    form: z.enum(modelForms).default('adapter'),
    /** Null when a server trained the model and did not state its losses. */
    final_loss: fineTuneManifestSchema.shape.final_loss.nullable(),
    losses: fineTuneManifestSchema.shape.losses.default([]),
    rewards: fineTuneManifestSchema.shape.rewards.optional(),
    dataset: fineTuneManifestSchema.shape.dataset.partial({ equal_pairs: true }),
    peak_learning_rate: fineTuneManifestSchema.shape.peak_learning_rate.nullable().default(null),
    moved: fineTuneManifestSchema.shape.moved.default(null),
    execution: fineTuneManifestSchema.shape.execution.nullable().default(null),
    /** Of a model that a server trained and keeps: its name there, and the job that made it. Such a model has no files here. */
    hosted: z.object({ name: z.string().min(1), job: z.string(), url: z.string() }).optional(),
  }),
);
/** The manifest of a finished fine-tune. The peak learning rate is null when an older version made it. */
export type StoredManifest = z.infer<typeof storedManifestSchema>;

/** Everything that a fine-tune's weights depend on. */
export type ModelIngredients = {
  /** Hash of the base model's weights, or its name where another host has them. */
  readonly base: string;
  /** The key of the model that training starts from; null for the base model. */
  readonly init: string | null;
  readonly datasetSha256: string;
  readonly settings: TrainerSettings;
  readonly seed: number;
  /** What else the weights depend on, where the trainer is a server (`TrainerAbilities.maker`). */
  readonly maker?: string | null;
};

/** Raised when the trainer makes other weights from the same inputs. 2: the first step of a warm-up learns. */
const trainingVersion = 2;

/** The content address of a fine-tune. Every experiment that needs the same weights finds the finished model by it. */
export function modelKey({
  base,
  init,
  datasetSha256,
  settings,
  seed,
  maker = null,
}: ModelIngredients): string {
  // `method: lora` was `use_peft: true` before whole models could be trained: adapters keep the keys that they had then.
  // Nor do adapters that imitate have what was added for other objectives.
  const { method, objective, beta, sft_weight, ...rest } = settings;
  const compared = objective === 'imitation' ? {} : { objective, beta, sft_weight };
  const named = { ...rest, ...compared, ...(method === 'lora' ? { use_peft: true } : { method }) };
  const sorted = Object.entries(named).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(
      JSON.stringify([
        trainingVersion,
        base,
        init,
        datasetSha256,
        sorted,
        seed,
        ...(maker === null ? [] : [maker]),
      ]),
    )
    .digest('hex');
}

/**
 * The manifest of a finished fine-tune, when all its files have the bytes that the manifest names; null when there is none. A damaged one
 * is set aside and has to be made again. When a read fails for another reason, that error is thrown and nothing is moved.
 */
export async function findModel(
  store: Store,
  key: string,
  onDamage: OnDamage = warnOfDamage,
): Promise<StoredManifest | null> {
  const model = store.model(key);
  let manifest: StoredManifest | null = null;
  let damaged: string | null = 'manifest.json';
  try {
    manifest = await readDocument(manifestOf(model), storedManifestSchema);
    // Without a manifest, and without the seal of one, the model was never finished.
    if (manifest === null && !(await isSealed(manifestOf(model)))) return null;
    if (manifest !== null) damaged = await damagedFile(model, manifest);
  } catch (error) {
    if (!(error instanceof ArtifactDamaged)) throw error;
  }
  if (manifest !== null && damaged === null) return manifest;
  const aside = await setAside(model);
  // Another shard that uses the model may have found it first.
  if (aside !== null)
    onDamage({
      path: model.where,
      problem: `its ${damaged} is damaged or gone; moved to ${aside}; to be made again`,
    });
  return null;
}

/** The manifest is written last: a folder with a manifest is a whole model. */
export function manifestOf(model: Place): Place {
  return below(model, 'manifest.json');
}

const filesSchema = fineTuneManifestSchema.pick({ files: true });

/** The files of a model by the manifest in its folder, which need not be in this store; null when there is no manifest. */
export async function filesInManifest(folder: string): Promise<StoredManifest['files'] | null> {
  const manifest = await fileBlobs(folder).get('manifest.json');
  return manifest === null ? null : filesSchema.parse(JSON.parse(String(manifest))).files;
}

async function damagedFile(model: Place, { files }: StoredManifest): Promise<string | null> {
  for (const [name, { sha256, bytes }] of Object.entries(files)) {
    if (!isName(name))
      return `manifest, which names a file ${JSON.stringify(name)} outside the model's folder,`;
    // The size first: it is known without reading, also of a pipe or a device, whose end never comes.
    const file = below(model, name);
    if ((await file.blobs.size(file.name)) !== bytes) return name;
    if ((await sealedBytesOf(file))?.sha256 !== sha256) return name;
  }
  return null;
}

/** The local folder that the trainer fills with a model, its manifest last. In a store of files it is the model's own folder. */
export function modelOutput(store: Store, key: string): string {
  return join(store.local, ...store.model(key).name.split('/'));
}

/**
 * Puts a finished model in the local folder `modelOutput` into the store, its manifest last, and removes the folder. A store of files has it
 * there already. Of two hosts' models, the first whole one stays.
 *
 * @throws DiskFull, StoreNotWritable, and the errors of the store
 */
export async function storeModel(store: Store, key: string): Promise<void> {
  const model = store.model(key);
  const made = fileBlobs(store.local);
  if (made.where(model.name) === model.where) return;
  const manifest = manifestOf(model).name;
  const names = (await made.list(`${model.name}/`)).filter((name) => name !== manifest);
  // Another attempt of this host has stored and removed it.
  if ((await made.size(manifest)) === null) return;
  for (const name of names) {
    if ((await store.blobs.putOnce(name, made.stream(name))) !== 'other') continue;
    // With a manifest it is a whole model. Without one it is what a lost host had uploaded of its own.
    if (await isThere(manifestOf(model))) break;
    await store.blobs.replace(name, made.stream(name));
  }
  await store.blobs.putOnce(manifest, made.stream(manifest));
  // What was there already may have been removed as unneeded in this moment (whole-store.ts).
  const stored = new Set(await store.blobs.list(`${model.name}/`));
  for (const name of names) if (!stored.has(name)) await store.blobs.putOnce(name, made.stream(name));
  await made.remove(model.name);
}

/**
 * Seals the manifest of a finished model. The manifest shows when a file of the model is damaged, and the seal shows when the manifest
 * is damaged. Nothing happens when there is no manifest.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function sealModel(store: Store, key: string): Promise<void> {
  await sealAsItIs(manifestOf(store.model(key)));
}

/** The form of a finished model. @throws ModelPruned, ArtifactMissing when it is not there */
export async function formInStore(store: Store, key: string): Promise<ModelForm> {
  await requireNotPruned(store, key);
  const manifest = await readDocument(manifestOf(store.model(key)), storedManifestSchema);
  if (manifest === null) throw new ArtifactMissing(store.model(key).where);
  return manifest.form;
}

/** The name of a model at the server that trained it. @throws ArtifactMissing when it is no such model, or not finished */
export async function hostedName(store: Store, key: string): Promise<string> {
  const manifest = await readDocument(manifestOf(store.model(key)), storedManifestSchema);
  if (manifest?.hosted === undefined) throw new ArtifactMissing(store.model(key).where);
  return manifest.hosted.name;
}

/**
 * Removes the files of a finished model. Its manifest stays, so that its fine-tune counts as done. The model is made again when it is
 * needed after all (`remakeModel`).
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function pruneModel(store: Store, key: string): Promise<void> {
  const model = store.model(key);
  const manifest = await readDocument(manifestOf(model), storedManifestSchema);
  // A server keeps such a model, and its name takes no room here.
  if (manifest?.hosted !== undefined) return;
  if (manifest !== null) await writeDocument(store.prunedModel(key), manifest);
  await remove(model);
}

/** The manifest of a model whose files were removed; null when they were not. */
export async function prunedManifest(store: Store, key: string): Promise<StoredManifest | null> {
  return readDocument(store.prunedModel(key), storedManifestSchema);
}

/** @throws ModelPruned when the files of the model were removed and it was not made again */
export async function requireNotPruned(store: Store, key: string): Promise<void> {
  if (await isThere(manifestOf(store.model(key)))) return;
  if (await isThere(store.prunedModel(key))) throw new ModelPruned(store.model(key).where);
}

/** Removes the checkpoints of a fine-tune. To be called when its model is finished. */
export async function removeCheckpoints(store: Store, key: string): Promise<void> {
  await rm(store.checkpoints(key), { recursive: true, force: true });
}

/**
 * Makes sure that models are whole, and on this host. Each model is read only once a process.
 *
 * @throws ArtifactMissing when a model is not whole, and has to be made again; CacheFull, DiskFull
 */
export async function requireModels(store: Store, models: readonly Model[]): Promise<void> {
  for (const { tuned } of models) {
    if (tuned === null) continue;
    const { name, where } = store.model(tuned.key);
    // First: it is then read through here, and not in a bucket once more.
    await store.blobs.localCopy(name);
    const known = readThrough.has(where) && (await isThere(manifestOf(store.model(tuned.key))));
    if (!known && (await findModel(store, tuned.key)) === null) throw new ArtifactMissing(where);
    readThrough.add(where);
  }
}

const readThrough = new Set<string>();
