import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Agent } from '../algorithm/agents.ts';
import { below, isThere, type Place, setAside } from './blobs.ts';
import { fileBlobs } from './blobs-file.ts';
import { ArtifactDamaged, ArtifactMissing } from './errors.ts';
import { errorCode } from './files/atomic.ts';
import { type OnDamage, warnOfDamage } from './files/damage.ts';
import { readDocument } from './files/documents.ts';
import { isSealed, sealAsItIs, sealedBytesOf } from './files/sealed.ts';
import type { Store } from './store.ts';

/** Names a model: the experiment's base model, or a finished fine-tune of it. */
export const modelRefSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('base') }),
  z.strictObject({
    kind: z.literal('adapter'),
    /** The content address: a hash of all that determines the weights (base, data, settings, seed, initial adapter). */
    key: z.string().regex(/^[0-9a-f]{64}$/),
    /** The name in the store of its folder, in PEFT's format with a manifest.json. */
    uri: z.string(),
  }),
]);
export type ModelRef = Readonly<z.infer<typeof modelRefSchema>>;

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

/** The content address of a fine-tune: a request for the same weights, in any experiment, finds the finished model. */
export function modelKey({ base, init, datasetSha256, settings, seed }: ModelIngredients): string {
  const sorted = Object.entries(settings).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([1, base, init, datasetSha256, sorted, seed]))
    .digest('hex');
}

/** As engine/train.py writes it, last of all: it commits the folder. */
export const manifestSchema = z.object({
  steps: z.number().int(),
  tokens: z.number().int(),
  final_loss: z.number().nullable(),
  files: z.record(z.string(), z.object({ sha256: z.string(), bytes: z.number().int() })),
  versions: z.record(z.string(), z.string()),
});
export type ModelManifest = z.infer<typeof manifestSchema>;

/**
 * A finished fine-tune whose files all have the bytes that its manifest names; null when there is none. A damaged one is set
 * aside, and has to be made again. A read that fails for another reason throws, and nothing is moved.
 */
export async function findModel(
  store: Store,
  key: string,
  onDamage: OnDamage = warnOfDamage,
): Promise<{ ref: ModelRef; manifest: ModelManifest } | null> {
  const model = store.model(key);
  let manifest: ModelManifest | null = null;
  let damaged: string | null = 'manifest.json';
  try {
    manifest = await readDocument(manifestOf(model), manifestSchema);
    // Without a manifest, and without the seal of one, the model was never finished.
    if (manifest === null && !(await isSealed(manifestOf(model)))) return null;
    if (manifest !== null) damaged = await damagedFile(model, manifest);
  } catch (error) {
    if (!(error instanceof ArtifactDamaged)) throw error;
  }
  if (manifest !== null && damaged === null)
    return { ref: { kind: 'adapter', key, uri: model.name }, manifest };
  const aside = await setAside(model);
  // Another shard that uses the model may have found it first.
  if (aside !== null)
    onDamage({
      path: model.where,
      problem: `its ${damaged} is damaged or gone; moved to ${aside}; to be made again`,
    });
  return null;
}

/** The file that is written last: a folder with a manifest is a whole model. */
export function manifestOf(model: Place): Place {
  return below(model, 'manifest.json');
}

async function damagedFile(model: Place, { files }: ModelManifest): Promise<string | null> {
  for (const [name, { sha256 }] of Object.entries(files)) {
    if ((await sealedBytesOf(below(model, name)))?.sha256 !== sha256) return name;
  }
  return null;
}

/**
 * The local folder that the trainer fills with a model, its manifest last. In a store of files it is the model's own folder.
 */
export function modelOutput(store: Store, key: string): string {
  return join(store.local, ...store.model(key).name.split('/'));
}

/**
 * Puts a model that the trainer has made into the store, its manifest last, and seals the manifest: it tells when a file of the
 * model is damaged, and its seal when it is damaged itself.
 *
 * @throws DiskFull, StoreNotWritable
 */
export async function storeModel(store: Store, key: string): Promise<void> {
  const model = store.model(key);
  const manifest = manifestOf(model).name;
  const made = fileBlobs(store.local);
  if (made.where(model.name) !== model.where) {
    const names = (await made.list(`${model.name}/`)).filter((name) => name !== manifest);
    for (const name of [...names, manifest]) await store.blobs.putOnce(name, made.stream(name));
  }
  await sealAsItIs(manifestOf(model));
}

/** Removes what the trainer kept to go on from: the model is finished. */
export async function removeCheckpoints(store: Store, key: string): Promise<void> {
  await rm(store.checkpoints(key), { recursive: true, force: true });
}

/** @throws ArtifactMissing when a model is not whole: it has to be made again. Each is read through once a process. */
export async function requireModels(store: Store, models: readonly ModelRef[]): Promise<void> {
  for (const model of models) {
    if (model.kind === 'base') continue;
    const { where } = store.model(model.key);
    const known = readThrough.has(where) && (await isThere(manifestOf(store.model(model.key))));
    if (!known && (await findModel(store, model.key)) === null) throw new ArtifactMissing(where);
    readThrough.add(where);
  }
}

const readThrough = new Set<string>();

/** A model's content address; null is the base model. */
const keySchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .nullable();

/** The agents that a night leaves to the next. */
export const agentModelsSchema = z.array(
  z.strictObject({ number: z.number().int(), models: z.record(z.string(), keySchema) }),
);
export type AgentModels = z.infer<typeof agentModelsSchema>;

/** The agents' models by their content addresses. */
export function modelsOf(agents: readonly Agent<ModelRef>[]): AgentModels {
  const keyOf = (model: ModelRef) => (model.kind === 'base' ? null : model.key);
  return agents.map(({ number, models }) => ({ number, models: mapValues(models, keyOf) }));
}

/** The agents, each with its models in this store. */
export function agentsIn(store: Store, models: AgentModels): Agent<ModelRef>[] {
  const refOf = (key: string | null): ModelRef =>
    key === null ? { kind: 'base' } : { kind: 'adapter', key, uri: store.model(key).name };
  return models.map((agent) => ({ number: agent.number, models: mapValues(agent.models, refOf) }));
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

const hashes = new Map<string, Promise<string>>();

/**
 * Names a base model by its weights: `<file>:<sha256>` of each .safetensors file of a folder, so that another model under the same
 * path is another model. A model that is not a folder here (a hub id) is named by its id. Weights are hashed once a process,
 * as long as their size and time stay.
 */
export async function baseModelHash(location: string): Promise<string> {
  const names = (await filesIn(location)).filter((name) => name.endsWith('.safetensors')).toSorted();
  if (names.length === 0) return location;
  return (await Promise.all(names.map(async (name) => `${name}:${await hashOnce(location, name)}`))).join(
    ',',
  );
}

/** None when it is no folder here. Any other failure is no answer to what the model is. */
async function filesIn(location: string): Promise<string[]> {
  try {
    return await readdir(location);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}

async function hashOnce(folder: string, name: string): Promise<string> {
  const { size, mtimeMs } = await stat(join(folder, name));
  const key = `${join(folder, name)}:${size}:${mtimeMs}`;
  const known = hashes.get(key);
  if (known !== undefined) return known;
  const hash = hashOf(folder, name);
  hashes.set(key, hash);
  // A read that failed is tried again by the next who asks.
  hash.catch(() => hashes.delete(key));
  return hash;
}

async function hashOf(folder: string, name: string): Promise<string> {
  const blobs = fileBlobs(folder);
  const found = await sealedBytesOf({ blobs, name, where: blobs.where(name) });
  if (found === null) throw new ArtifactMissing(join(folder, name));
  return found.sha256;
}
