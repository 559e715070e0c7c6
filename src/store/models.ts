import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { Agent } from '../algorithm/agents.ts';
import { ArtifactMissing } from './errors.ts';
import { moveAside } from './files/atomic.ts';
import { readDocument } from './files/documents.ts';
import { type OnDamage, sha256File, warnOfDamage } from './files/sealed.ts';
import type { Store } from './store.ts';

/** Names a model: the experiment's base model, or a finished fine-tune of it. */
export const modelRefSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('base') }),
  z.strictObject({
    kind: z.literal('adapter'),
    /** The content address: a hash of all that determines the weights (base, data, settings, seed, initial adapter). */
    key: z.string().regex(/^[0-9a-f]{64}$/),
    /** `file:///…`, a directory in PEFT's format with a manifest.json. */
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

/** The content address of a fine-tune: who asks for the same weights twice, in whatever experiment, finds the finished model. */
export function modelKey({ base, init, datasetSha256, settings, seed }: ModelIngredients): string {
  const sorted = Object.entries(settings).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([1, base, init, datasetSha256, sorted, seed]))
    .digest('hex');
}

/** Where the manifest of a fine-tune is, in the model's folder. */
export function manifestPath(model: string): string {
  return join(model, 'manifest.json');
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
  const manifest = await readDocument(manifestPath(model), manifestSchema).catch(() => null);
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
    const known = readThrough.has(path) && existsSync(manifestPath(path));
    if (!known && (await findModel(store, model.key)) === null) throw new ArtifactMissing(path);
    readThrough.add(path);
  }
}

const readThrough = new Set<string>();

/** A model's content address; null is the base model. Without its place, because a store may be moved between two nights. */
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

/** The agents, with each model where this store keeps it. */
export function agentsIn(store: Store, models: AgentModels): Agent<ModelRef>[] {
  const refOf = (key: string | null): ModelRef =>
    key === null ? { kind: 'base' } : { kind: 'adapter', key, uri: pathToFileURL(store.model(key)).href };
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
