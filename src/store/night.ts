/** The documents of a night: its plan, in its own folder, and its entry in the series' ledger. */
import { z } from 'zod';
import { agentModelsSchema } from './agent-models.ts';
import { evaluationSchema, nightOutcomeSchema } from './experiment-result.ts';

/** See Asked in src/tasks/fresh-questions.ts. */
const askedSchema = z
  .array(
    z.strictObject({ cycle: z.number().int(), keys: z.array(z.string().regex(/^[0-9a-f]{16}$/)).readonly() }),
  )
  .readonly();

/** What a night begins with. */
const startSchema = z.strictObject({
  /** The night that left these agents; null for the base model. */
  night: z.string().nullable(),
  agents: agentModelsSchema,
  /** Whose held-out debates of which iteration were these agents'; null when they have not been evaluated. */
  evaluated: z.strictObject({ experiment: z.string(), iteration: z.number().int() }).nullable(),
});
export type NightStart = z.infer<typeof startSchema>;

/** NIGHT/night/plan.json: settled when the night begins, and the same however often it is started again. */
export const nightPlanSchema = z.strictObject({
  formatVersion: z.literal(1),
  series: z.string(),
  /** Of the resolved config that it was made for. */
  configSha256: z.string(),
  /** The ledger's last night that counts, when this one was planned; 0 for none. */
  head: z.number().int(),
  start: startSchema,
  /** The number of its first training question in the series. */
  position: z.number().int(),
  asked: askedSchema,
});
export type NightPlan = z.infer<typeof nightPlanSchema>;

/** series/SERIES/night-NNNNN/night.json: a finished night, as the ledger has it for good. */
export const nightEntrySchema = nightOutcomeSchema.extend({
  formatVersion: z.literal(1),
  /** Its name. */
  experiment: z.string(),
  /** First of the agents that it began with, then after each iteration. */
  evaluations: z.array(evaluationSchema).min(1),
  maxDrop: z.number(),
  /** The agents that it has made, carried on or not. */
  made: agentModelsSchema,
  /** What the next night begins with; null when this night does not count, because another one was first. */
  next: startSchema.nullable(),
  asked: askedSchema,
  /** The number of the next night's first training question. */
  position: z.number().int(),
  /** The settings that no night of the series may change. */
  fixed: z.record(z.string(), z.unknown()),
  /** ISO 8601 */
  finishedAt: z.string(),
});
export type NightEntry = z.infer<typeof nightEntrySchema>;
