import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { Agent } from '../algorithm/agents.ts';
import type { ModelRef } from './model-ref.ts';
import type { Store } from './open-store.ts';

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
