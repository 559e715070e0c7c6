import { join } from 'node:path';
import { methods } from '../algorithm/methods.ts';
import { agentCount } from '../config/experiment.ts';
import { colloquyVersion } from '../config/installation.ts';
import { isConfigInput } from '../config/load.ts';
import { fileBlobs } from '../store/blobs-file.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import type { StoredManifest } from '../store/models.ts';
import { modelName, type Store } from '../store/store.ts';
import { count, listed } from '../text/figures.ts';
import { NothingTrained, WeightsAtServer } from './errors.ts';
import {
  agentModelsAfter,
  type AgentModel,
  baseOf,
  copyModel,
  type DistilledModel,
  type FinishedIteration,
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
  const whole = models.every(({ manifest }) => manifest.form === 'full');
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
  return (manifest.form === 'full' ? wholeModelCard : modelCard)(to, model, manifest, done);
}
