/** How are the models of an iteration exported: each as it is, or one merged into its base, for servers that load no adapters? */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { methods } from '../algorithm/methods.ts';
import { type ModelSettings, modelLocation } from '../config/agents.ts';
import { agentCount } from '../config/experiment.ts';
import { aboutForm } from '../config/fine-tune.ts';
import { childEnvironment, colloquyVersion, projectRoot, tools } from '../config/installation.ts';
import { isConfigInput } from '../config/load.ts';
import { begunWithSchema, recordedModel, weightsName } from '../store/base-model-files.ts';
import { fileBlobs } from '../store/blobs-file.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument } from '../store/files/documents.ts';
import { manifestOf, type StoredManifest, storedManifestSchema } from '../store/models.ts';
import { modelName, type Store } from '../store/store.ts';
import { count, listed } from '../text/figures.ts';
import { MergeFailed, NothingTrained, WeightsAtServer } from './errors.ts';
import {
  type AgentModel,
  agentModelsAfter,
  baseOf,
  copyModel,
  type DistilledModel,
  type FinishedIteration,
  wantedModel,
  type WhichModel,
} from './finished-iteration.ts';
import { card, provenance, publishExport, settingsBlock, textTable } from './folder.ts';
import type { Destination, HubPlace } from './licences.ts';
import {
  baseIn,
  baseOnHub,
  evaluation,
  hostedModelCard,
  modelCard,
  modelIndex,
  resultsOf,
  wholeModelCard,
} from './model-card.ts';

/** The models of an export: the folders that were written, and the models that are still the base model, so that there is nothing to copy. */
export type ExportedModels = { readonly models: readonly string[]; readonly stillBase: readonly string[] };

/**
 * Copies the models that the agents have after an iteration into a folder: below it one folder for each agent and role, with a model card.
 * peft loads an adapter, transformers a whole model. Of a model that a server keeps there is the card alone, with its name.
 *
 * @param wanted which models. Default: those of all agents
 * @param path of the folder, absolute
 * @param hub where they are to be pushed. One model alone is then at the root, as the hub's own tools expect it, and several have a card together
 * @throws ExportFolderTaken, OutputNotWritable, DiskFull, NothingTrained when all are still the base model, ArtifactMissing, ArtifactDamaged,
 *   ModelPruned
 */
export async function exportModels(
  store: Store,
  done: FinishedIteration,
  path: string,
  wanted?: readonly (AgentModel | DistilledModel)[],
  hub?: HubPlace,
): Promise<ExportedModels> {
  const { experiment, iteration } = done;
  const stillBase: string[] = [];
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format: 'models' };
  const all = wanted ?? (await agentModelsAfter(done));
  const atRoot = hub !== undefined && all.length === 1;
  const described: DescribedModel[] = [];
  await publishExport(path, facts, hub, async (folder) => {
    for (const model of all) {
      const name = modelName(model.agent, model.role);
      if (model.key === null) {
        stillBase.push(name);
        continue;
      }
      const into = atRoot ? folder : join(folder, name);
      const manifest = await copyModel(store, model.key, into);
      const to = { path: join(path, name), hub, ...(atRoot ? {} : { subfolder: name }) };
      if (hub !== undefined) await nameBase(into, baseIn(to, model, done));
      const readme = cardOf(to, model, manifest, done);
      await writeAtomically(join(into, 'README.md'), [Buffer.from(readme)]);
      described.push({ name, model, manifest });
    }
    const one = described[0]?.model;
    if (one === undefined)
      throw new NothingTrained(
        experiment,
        `after iteration ${iteration} every model is still the base model`,
      );
    if (hub === undefined) return;
    await writeAtomically(join(folder, 'results.json'), [resultsOf(done, all)]);
    if (!atRoot)
      await writeAtomically(join(folder, 'README.md'), [Buffer.from(groupCard(hub, one, described, done))]);
  });
  return { models: described.map(({ name }) => name), stillBase };
}

/** peft looks for the base model where adapter_config.json says: on the hub that is no folder of this machine. */
async function nameBase(folder: string, base: string): Promise<void> {
  const file = 'adapter_config.json';
  const text = await fileBlobs(folder).get(file);
  if (text === null) return;
  const config: unknown = JSON.parse(text.toString('utf8'));
  if (!isConfigInput(config) || config['base_model_name_or_path'] === base) return;
  const renamed = { ...config, base_model_name_or_path: base };
  await writeAtomically(join(folder, file), [Buffer.from(`${JSON.stringify(renamed, null, 2)}\n`)]);
}

type DescribedModel = Readonly<{
  name: string;
  model: AgentModel | DistilledModel;
  manifest: StoredManifest;
}>;

/** The README.md of a repository with the models of several agents. @param one of them, for what they have in common */
function groupCard(
  hub: HubPlace,
  one: AgentModel | DistilledModel,
  models: readonly DescribedModel[],
  done: FinishedIteration,
): string {
  const { experiment, iteration, config } = done;
  const whole = models.every(({ manifest }) => aboutForm[manifest.form].whole);
  const { title, about } = methods[config.method];
  const agents = [...new Set(models.map(({ model }) => String(model.agent)))];
  const bases = models.map(({ model }) => baseOf(done, model).model_name_or_path);
  return card(
    {
      ...baseOnHub(hub, bases, whole ? 'finetune' : 'adapter'),
      ...hub.frontMatter,
      library_name: whole ? 'transformers' : 'peft',
      pipeline_tag: 'text-generation',
      tags: [...(whole ? [] : ['lora']), 'trl', 'sft', 'colloquy', 'multiagent-finetuning'],
      ...modelIndex('agents', one, done),
    },
    [
      `# ${experiment}, iteration ${iteration}: models of ${agents.length === 1 ? 'agent' : 'agents'} ${listed(agents)} of ${agentCount(config)}`,
      `${provenance} Method: ${title}. ${about}`,
      textTable(
        ['folder', 'role', 'trained in iteration', 'rows'],
        models.map(({ name, model, manifest }) => [
          `[${name}](${name}/README.md)`,
          model.role,
          String(model.madeIn ?? 'before'),
          count(manifest.dataset.rows),
        ]),
      ),
      ...evaluation(one, done),
      `## Config\n\n${settingsBlock(config, false)}`,
      hub.licence,
    ],
  );
}

function cardOf(
  to: Destination,
  model: AgentModel | DistilledModel,
  manifest: StoredManifest,
  done: FinishedIteration,
): string {
  const { hosted } = manifest;
  if (hosted !== undefined && to.hub !== undefined) throw new WeightsAtServer(hosted.name, hosted.url);
  if (hosted !== undefined) return hostedModelCard(to.path, model, manifest, hosted, done);
  return (aboutForm[manifest.form].whole ? wholeModelCard : modelCard)(to, model, manifest, done);
}

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
  if (form !== undefined && aboutForm[form].whole) return copyModel(store, key, folder);
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
