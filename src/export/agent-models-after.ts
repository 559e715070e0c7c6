import { readDocument } from '../store/files/documents.ts';
import { nightPlanSchema } from '../store/series.ts';
import type { FinishedIteration } from './finished-iteration.ts';

/** A model of an agent after an iteration. */
export type AgentModel = {
  /** 1..N; of those that share it, the first. */
  readonly agent: number;
  readonly role: string;
  /** Its content address; null while it is still the base model. */
  readonly key: string | null;
  /** The iteration whose fine-tune made it; null when it is older than the experiment. */
  readonly madeIn: number | null;
};

/**
 * The agents' models after an iteration. One that had nothing to learn from in it is the model of an earlier iteration, that with
 * which a night of a series began, or the base model.
 *
 * @throws ArtifactDamaged
 */
export async function agentModelsAfter({ files, records }: FinishedIteration): Promise<AgentModel[]> {
  const plan = await readDocument(files.nightPlan, nightPlanSchema);
  const models = new Map<string, AgentModel>();
  for (const { iteration, fineTunes } of records) {
    for (const { agent, role, model } of fineTunes) {
      const name = `${agent} ${role}`;
      const began = plan?.start.agents.find(({ number }) => number === agent)?.models[role] ?? null;
      const before = models.get(name) ?? { agent, role, key: began, madeIn: null };
      models.set(name, model === null ? before : { agent, role, key: model, madeIn: iteration });
    }
  }
  return [...models.values()];
}
