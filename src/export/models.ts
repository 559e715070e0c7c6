import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { methods } from '../algorithm/methods.ts';
import { agentCount } from '../config/experiment.ts';
import { colloquyVersion } from '../config/installation.ts';
import { isConfigInput } from '../config/load.ts';
import { fileBlobs } from '../store/blobs-file.ts';
import { below, type Place } from '../store/blobs.ts';
import { ArtifactDamaged, ArtifactMissing } from '../store/errors.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { readDocument } from '../store/files/documents.ts';
import { manifestOf, requireNotPruned, storedManifestSchema, type StoredManifest } from '../store/models.ts';
import { modelName, type Store } from '../store/store.ts';
import { count, listed } from '../text/figures.ts';
import { NothingTrained, WeightsAtServer } from './errors.ts';
import {
  agentModelsAfter,
  type AgentModel,
  baseOf,
  type DistilledModel,
  type FinishedIteration,
} from './finished-iteration.ts';
import { accuracyTable, card, provenance, publishExport, settingsBlock, textTable } from './folder.ts';
import type { Destination, HubPlace } from './licences.ts';
import { baseIn, baseOnHub, hostedModelCard, modelCard, modelIndex, wholeModelCard } from './model-card.ts';

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
  const write = async (folder: string) => {
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
    if (described.length === 0)
      throw new NothingTrained(
        experiment,
        `after iteration ${iteration} every model is still the base model`,
      );
    if (hub === undefined) return;
    await writeResults(folder, done, all);
    if (!atRoot)
      await writeAtomically(join(folder, 'README.md'), [Buffer.from(groupCard(hub, described, done))]);
  };
  await publishExport(path, facts, write, hub);
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

/** Writes results.json: the evaluations of a card, for programs. */
export async function writeResults(
  folder: string,
  { experiment, iteration, config, evaluations }: FinishedIteration,
  models: readonly (AgentModel | DistilledModel)[],
): Promise<void> {
  const { method, seed } = config;
  const distilled = models.flatMap((model) => ('evaluation' in model ? [model.evaluation] : []))[0];
  const results = { experiment, iteration, method, seed, evaluations, distilled };
  await writeAtomically(join(folder, 'results.json'), [Buffer.from(`${JSON.stringify(results, null, 2)}\n`)]);
}

type DescribedModel = {
  readonly name: string;
  readonly model: AgentModel | DistilledModel;
  readonly manifest: StoredManifest;
};

/** The README.md of a repository with the models of all agents. */
function groupCard(hub: HubPlace, models: readonly DescribedModel[], done: FinishedIteration): string {
  const { experiment, iteration, config, evaluations } = done;
  const [first, last] = [evaluations[0], evaluations.at(-1)];
  const [one] = models;
  const whole = one?.manifest.form === 'full';
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
      ...(one === undefined || last === undefined
        ? {}
        : { 'model-index': [modelIndex('agents', one.model, last, done)] }),
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
      `## Evaluation\n\n${count(last?.questions ?? 0)} held-out questions, ± one standard error. These are accuracies of the agents together on questions drawn from the task, not scores of its benchmark.`,
      accuracyTable([first, last].filter((each) => each !== undefined)),
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
  return (manifest.form === 'full' ? wholeModelCard : modelCard)(to, model, manifest, done);
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
