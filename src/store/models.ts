import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Agent } from '../algorithm/agents.ts';
import { ArtifactMissing } from './errors.ts';
import { moveAside } from './files/atomic.ts';
import { readDocument } from './files/documents.ts';
import { type OnDamage, sha256File, warnOfDamage } from './files/sealed.ts';
import type { Store } from './store.ts';

/** A model that was not made here: which one it is, and who answers for it. */
export const baseModelSchema = z
  .strictObject({
    /** The name of the endpoint that serves it. */
    endpoint: z.string(),
    /** A folder, a hub id, or the server's name for it. */
    name: z.string(),
    /** A commit of the hub; null for a folder, or for whatever the server has under the name. */
    revision: z.string().nullable(),
    /** Names its weights by their hash, in short (see `baseModelHash`); its name where another host keeps them. */
    weights: z.string(),
  })
  .readonly();
export type BaseModel = z.infer<typeof baseModelSchema>;

const contentAddress = z.string().regex(/^[0-9a-f]{64}$/);

/** A model anywhere in the product: its base, and what was made of it here. Only the store, endpoints and trainers look inside. */
export const modelSchema = z
  .strictObject({
    base: baseModelSchema,
    /** null is the base model itself. */
    tuned: z
      .strictObject({
        /** The content address: a hash of all that determines the weights (base, data, settings, seed, initial model). */
        key: contentAddress,
        /** `adapter`: a folder in PEFT's format, to be put on the base. `full`: a whole model. */
        form: z.enum(['adapter', 'full']),
        /** What it was trained by: `sft` is supervised fine-tuning. */
        objective: z.enum(['sft']),
      })
      .readonly()
      .nullable(),
  })
  .readonly();
export type Model = z.infer<typeof modelSchema>;

/** The model that `base` is before any fine-tune. */
export function untuned(base: BaseModel): Model {
  return { base, tuned: null };
}

/** Names the weights of a model: two models of one name answer alike. */
export function weightsOf({ base, tuned }: Model): string {
  return tuned?.key ?? base.weights;
}

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
): Promise<ModelManifest | null> {
  const model = store.model(key);
  if (!existsSync(model)) return null;
  const manifest = await readDocument(join(model, 'manifest.json'), manifestSchema).catch(() => null);
  const damaged = manifest === null ? 'manifest.json' : await damagedFile(model, manifest);
  if (manifest !== null && damaged === null) return manifest;
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
export async function requireModels(store: Store, models: readonly Model[]): Promise<void> {
  for (const { tuned } of models) {
    if (tuned === null) continue;
    const path = store.model(tuned.key);
    const known = readThrough.has(path) && existsSync(join(path, 'manifest.json'));
    if (!known && (await findModel(store, tuned.key)) === null) throw new ArtifactMissing(path);
    readThrough.add(path);
  }
}

const readThrough = new Set<string>();

/** A model's content address; null is the base model, which is the series' own. */
const keySchema = contentAddress.nullable();

/** What a fine-tune of `base` makes: the only form and objective that there is. */
export function adapterOf(base: BaseModel, key: string): Model {
  return { base, tuned: { key, form: 'adapter', objective: 'sft' } };
}

/** The agents that a night leaves to the next. */
export const agentModelsSchema = z.array(
  z.strictObject({ number: z.number().int(), models: z.record(z.string(), keySchema) }),
);
export type AgentModels = z.infer<typeof agentModelsSchema>;

/** The agents' models by their content addresses. */
export function modelsOf(agents: readonly Agent<Model>[]): AgentModels {
  const keyOf = ({ tuned }: Model) => tuned?.key ?? null;
  return agents.map(({ number, models }) => ({ number, models: mapValues(models, keyOf) }));
}

/** The agents whose models have these content addresses and are all made of `base`. */
export function agentsOf(base: BaseModel, models: AgentModels): Agent<Model>[] {
  const modelOf = (key: string | null): Model => (key === null ? untuned(base) : adapterOf(base, key));
  return models.map((agent) => ({ number: agent.number, models: mapValues(agent.models, modelOf) }));
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
  const names = (await readdir(location).catch(() => []))
    .filter((name) => name.endsWith('.safetensors'))
    .toSorted();
  if (names.length === 0) return location;
  return (
    await Promise.all(names.map(async (name) => `${name}:${await hashOnce(join(location, name))}`))
  ).join(',');
}

async function hashOnce(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  const key = `${path}:${size}:${mtimeMs}`;
  const hash = hashes.get(key) ?? sha256File(path);
  hashes.set(key, hash);
  return hash;
}
