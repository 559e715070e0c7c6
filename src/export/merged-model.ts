/** One model of an agent as a whole model with its tokenizer, for servers that load no adapters. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { distilledModel } from '../algorithm/agents.ts';
import { methods } from '../algorithm/methods.ts';
import { childEnvironment, colloquyVersion, projectRoot, tools } from '../config/installation.ts';
import { modelLocation, type ModelSettings } from '../config/agents.ts';
import { agentCount } from '../config/experiment.ts';
import { begunWithSchema, recordedModel, weightsName } from '../store/base-model-files.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument } from '../store/files/documents.ts';
import { manifestOf, storedManifestSchema, type StoredManifest } from '../store/models.ts';
import { modelName, type Store } from '../store/store.ts';
import { MergeFailed, NothingTrained, WeightsAtServer } from './errors.ts';
import {
  agentModelsAfter,
  type AgentModel,
  baseOf,
  copyModel,
  type DistilledModel,
  distilledModelOf,
  type FinishedIteration,
} from './finished-iteration.ts';
import { publishExport } from './folder.ts';
import type { HubPlace } from './licences.ts';
import { resultsOf, wholeModelCard } from './model-card.ts';

/** Which of the agents' models. */
export type WhichModel = {
  /** 1..N */
  readonly agent: number;
  /** Default: the role that gives first answers. `distilled`: the one model of the group. */
  readonly role?: string | undefined;
};

/** What was written. */
export type MergedModel = {
  /** E.g. `agent-1-generation`. */
  readonly model: string;
  /** Null with the reason why there is no GGUF file. */
  readonly gguf: 'model.gguf' | null;
  readonly whyNoGguf: string | null;
};

const run = async (program: string, args: readonly string[]) =>
  promisify(execFile)(program, args, { env: childEnvironment(), maxBuffer: 16 * 1024 * 1024 });

/**
 * Merges an agent's adapter into the base model, unless its model is whole already, and writes the whole model, its tokenizer and a card into a folder; a GGUF file beside them
 * where llama.cpp's converter is on PATH. The merged model has the logits of base and adapter, or nothing is written.
 *
 * @param path of the folder, absolute
 * @param hub where it is to be pushed
 * @throws NothingTrained, WeightsAtServer, MergeFailed, ToolsMissing, ExportFolderTaken, OutputNotWritable, DiskFull, ArtifactMissing, ArtifactDamaged,
 *   ModelPruned
 */
export async function exportMerged(
  store: Store,
  done: FinishedIteration,
  which: WhichModel,
  path: string,
  hub?: HubPlace,
): Promise<MergedModel> {
  const { experiment, iteration } = done;
  const model = await wantedModel(done, which);
  if (model.key === null)
    throw new NothingTrained(
      experiment,
      `the ${model.role} model of agent ${which.agent} is still the base model`,
    );
  const { key } = model;
  const name = modelName(which.agent, model.role);
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format: 'merged', model: name };
  let whyNoGguf: string | null = null;
  await publishExport(path, facts, hub, async (folder) => {
    const manifest = await writeWhole(store, key, baseOf(done, model), done, folder);
    whyNoGguf = await writeGguf(folder);
    const readme = wholeModelCard({ path, hub }, model, manifest, done);
    await writeAtomically(join(folder, 'README.md'), [Buffer.from(readme)]);
    if (hub !== undefined) await writeAtomically(join(folder, 'results.json'), [resultsOf(done, [model])]);
  });
  return { model: name, gguf: whyNoGguf === null ? 'model.gguf' : null, whyNoGguf };
}

/** An adapter is merged into its base; a whole model is copied. */
async function writeWhole(
  store: Store,
  key: string,
  base: ModelSettings,
  done: FinishedIteration,
  folder: string,
): Promise<StoredManifest> {
  const { form, hosted } = (await readDocument(manifestOf(store.model(key)), storedManifestSchema)) ?? {};
  if (hosted !== undefined) throw new WeightsAtServer(hosted.name, hosted.url);
  if (form === 'full') return copyModel(store, key, folder);
  const adapter = join(folder, '.adapter');
  const manifest = await copyModel(store, key, adapter);
  await requireWeightsOf(base, done);
  await merge(modelLocation(base.model_name_or_path), adapter, folder);
  await rm(adapter, { recursive: true });
  return manifest;
}

/** Merged into other weights than those that it was trained on, an adapter makes a model that nobody has measured. @throws MergeFailed */
async function requireWeightsOf(
  { endpoint, model_name_or_path: name }: ModelSettings,
  { experiment, files }: FinishedIteration,
): Promise<void> {
  const location = modelLocation(name);
  const begunWith = await readDocument(files.begunWith, begunWithSchema);
  const then = recordedModel(begunWith, { endpoint, name })?.base;
  if (then === undefined) return;
  const now = await weightsName(location);
  if (now === then.weights) return;
  const changed = `Its weights were ${then.weights} when ${experiment} began, and are ${now} now. Put the old ones back.`;
  throw new MergeFailed(location, changed);
}

/** @throws NothingTrained, NotDistilled when there is none */
export async function wantedModel(
  done: FinishedIteration,
  { agent, role }: WhichModel,
): Promise<AgentModel | DistilledModel> {
  if (role === distilledModel) return distilledModelOf(done);
  const { experiment, config } = done;
  const models = await agentModelsAfter(done);
  const agents = agentCount(config);
  const wanted = role ?? methods[config.method].roles[0]?.name ?? '';
  const ofRole = models.filter((each) => each.role === wanted);
  // Agents that share a model are listed by the first of them.
  const shared = ofRole.length === 1 && agents > 1 ? ofRole[0] : undefined;
  const found = ofRole.find((each) => each.agent === agent) ?? shared;
  if (found !== undefined && agent <= agents) return found;
  const names = models.map((each) => `agent ${each.agent} ${each.role}`);
  throw new NothingTrained(
    experiment,
    `it has no ${wanted} model of agent ${agent}, only ${names.join(', ')}`,
  );
}

/** @throws MergeFailed, ToolsMissing */
async function merge(base: string, adapter: string, output: string): Promise<void> {
  const { python } = tools();
  const script = join(projectRoot, 'engine', 'merge.py');
  try {
    await run(python, [script, '--base', base, '--adapter', adapter, '--output', output]);
  } catch (error) {
    throw new MergeFailed(base, lastLines(error));
  }
}

const converter = 'convert_hf_to_gguf.py';

/** Returns why there is no GGUF file; null when there is one. */
async function writeGguf(folder: string): Promise<string | null> {
  const file = join(folder, 'model.gguf');
  try {
    await run(converter, [folder, '--outfile', file]);
    return null;
  } catch (error) {
    await rm(file, { force: true });
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing
      ? `llama.cpp's ${converter} is not on PATH`
      : `llama.cpp's ${converter} failed: ${lastLines(error)}`;
  }
}

function lastLines(error: unknown): string {
  const written = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  const text = written === '' ? (error instanceof Error ? error.message : String(error)) : written;
  return text.split('\n').slice(-5).join('\n');
}
