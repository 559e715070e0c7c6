/** When does an experiment end, or wait for a person, before it has done all: its guard against collapse, and its budget? And how does it answer? */
import { z } from 'zod';
import { guardMetrics, type GuardSettings } from '../algorithm/guard.ts';
import { type ConfigFault, shown } from './faults.ts';
import type { TaskConfig } from './tasks.ts';

const guardSchema = z
  .strictObject({
    metric: z
      .enum(guardMetrics)
      .default('accuracy')
      .describe(
        'By what iterations are compared: `accuracy` of the debate, or `agreement` of the last answers, which needs no gold answer.',
      ),
    max_drop: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe('How far an iteration may be below the best one, as a share: 0.05 for five points.'),
    patience: z
      .int()
      .min(1)
      .max(100)
      .default(1)
      .describe('How many iterations in a row have to drop by more than `max_drop` to be a collapse.'),
    // oxlint-disable-next-line unicorn/no-thenable -- a text: only a function would be called when a config is awaited
    then: z
      .enum(['stop', 'continue'])
      .default('stop')
      .describe(
        'After a collapse the agents are those of the best iteration again: the experiment ends there, or goes on from there.',
      ),
  })
  .describe('Rolls a collapse back, and makes the best iteration’s agents the experiment’s: docs/guard.md.');

/** The settings of an experiment that its validation questions decide about; the paper has none of them. */
export const validated = {
  guard: guardSchema.optional(),
  answer: z
    .enum(['debate', 'auto'])
    .optional()
    .describe(
      'How the experiment answers in the end. `auto`: by the vote over the first answers, where the debate spoils more validation questions than it saves. Default: by debate.',
    ),
};

/** Whether a task has validation questions. */
export function hasValidation(task: TaskConfig): boolean {
  const { validation_size: size } = task;
  return size === undefined ? 'validation_file' in task && task.validation_file !== undefined : size > 0;
}

type Validated = {
  readonly task: TaskConfig;
  readonly guard?: z.infer<typeof guardSchema> | undefined;
  readonly answer?: 'debate' | 'auto' | undefined;
};

/** The settings that nothing could decide about without validation questions. */
export function validationFaults({ task, guard, answer }: Validated): ConfigFault[] {
  if (hasValidation(task)) return [];
  const lacking = (path: string, value: unknown, decided: string): ConfigFault => ({
    path,
    message: `${shown(value)} was given, but there are no validation questions on which ${decided}: set task.validation_size, e.g. 100, or leave ${path} out`,
  });
  return [
    ...(guard === undefined ? [] : [lacking('guard', guard, 'iterations could be compared')]),
    ...(answer === 'auto' ? [lacking('answer', answer, 'it could be decided')] : []),
  ];
}

/** The guard in the words of `guardCourse`; undefined where there is none. */
export function guardOf({ guard }: Pick<Validated, 'guard'>): GuardSettings | undefined {
  if (guard === undefined) return undefined;
  const { metric, max_drop: maxDrop, patience, then: onCollapse } = guard;
  return { metric, maxDrop, patience, onCollapse };
}

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
