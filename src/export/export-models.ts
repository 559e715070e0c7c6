import { join } from 'node:path';
import { colloquyVersion } from '../config/installation.ts';
import type { Store } from '../store/store.ts';
import { writeAtomically } from '../store/files/atomic.ts';
import { agentModelsAfter } from './agent-models-after.ts';
import { copyAdapter } from './copy-adapter.ts';
import type { FinishedIteration } from './finished-iteration.ts';
import { modelCard } from './model-card.ts';
import { NothingTrained } from './nothing-trained.ts';
import { publishExport } from './publish-export.ts';

/** The models of an export: folders that were written, and models that are still the base model, so that there is nothing to copy. */
export type ExportedModels = { readonly models: readonly string[]; readonly stillBase: readonly string[] };

/**
 * Copies the adapters that the agents have after an iteration into a folder: below it, one for each agent and role, which peft
 * loads, with a model card.
 *
 * @param path of the folder, absolute
 * @throws ExportFolderTaken, OutputNotWritable, DiskFull, NothingTrained when all are still the base model, ArtifactMissing, ArtifactDamaged
 */
export async function exportModels(
  store: Store,
  done: FinishedIteration,
  path: string,
): Promise<ExportedModels> {
  const { experiment, iteration } = done;
  const models: string[] = [];
  const stillBase: string[] = [];
  const facts = { colloquy: colloquyVersion(), experiment, iteration, format: 'models' };
  await publishExport(path, facts, async (folder) => {
    for (const model of await agentModelsAfter(done)) {
      const name = `agent-${model.agent}-${model.role}`;
      if (model.key === null) {
        stillBase.push(name);
        continue;
      }
      const manifest = await copyAdapter(store.model(model.key), join(folder, name));
      const readme = modelCard(name, model, manifest, done);
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
