/** What may an experiment use before it waits for a person, and will the estimate fit into that? */
import { z } from 'zod';
import { type BudgetKind, type Limits } from '../algorithm/budget.ts';
import { count, duration } from '../text/figures.ts';

const seconds = z.number().positive().max(1e9);

/** A limit that is left out does not exist. */
const limitsSchema = z.strictObject({
  tokens: z
    .int()
    .min(1)
    .exactOptional()
    .describe('Tokens that models read and wrote, and tokens that fine-tunes read, of all finished steps.'),
  device_seconds: seconds
    .exactOptional()
    .describe('Time in phases that use the device: debates, evaluations, fine-tunes.'),
  wall_seconds: seconds
    .exactOptional()
    .describe('Time in which anything was done; none while the experiment is paused, or waits for a person.'),
});

/** `budget` of an experiment. */
export const budgetSchema = limitsSchema.describe(
  'What the experiment may use. When it is used up the experiment waits, with all that it has, until `colloquy set-budget` raises it; `{}` only counts: docs/budget.md.',
);

/** `total_budget` of a study. */
export const totalBudgetSchema = limitsSchema
  .refine((limits) => Object.keys(limits).length > 0, {
    message: 'no limit was given: set tokens, device_seconds or wall_seconds, or leave total_budget out',
  })
  .describe(
    'What all experiments of the study may use together. When it is used up they wait, with all that they have, until `colloquy set-budget STUDY` raises it: docs/budget.md.',
  );

/** The parts of an estimate that a budget limits; seconds are null where no experiment has shown yet how long it will take. */
type Expected = {
  readonly tokens: { readonly read: number; readonly written: number };
  readonly trainedTokens: number;
  readonly seconds: number | null;
};

/** Whether an experiment is expected to stay within its budget, in a sentence for each limit. */
export function budgetOutlook(
  limits: Limits,
  { tokens, trainedTokens, seconds: expected }: Expected,
  name = 'budget',
): string[] {
  const all = tokens.read + tokens.written + trainedTokens;
  return [
    outlook(name, 'tokens', limits.tokens, all, count),
    ...(['device_seconds', 'wall_seconds'] as const).map((kind) =>
      outlook(name, kind, limits[kind], expected, duration),
    ),
  ].flat();
}

function outlook(
  name: string,
  kind: BudgetKind,
  limit: number | undefined,
  expected: number | null,
  shown: (value: number) => string,
): string[] {
  if (limit === undefined) return [];
  const of = `${name}.${kind}: ${shown(limit)}`;
  if (expected === null) return [`${of}; how long it will take is not known here`];
  const share = Math.round((100 * expected) / limit);
  return [
    expected > limit
      ? `${of}; the estimate is ${shown(expected)}, ${share} % of it: the experiment will probably wait for a larger budget before its end`
      : `${of}; the estimate is ${shown(expected)}, ${share} % of it`,
  ];
}
