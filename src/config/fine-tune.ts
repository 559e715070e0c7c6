/** How are models fine-tuned? */
import { z } from 'zod';
import { critic, generation, type Role } from '../algorithm/agents.ts';
import { distillSources, objectiveNames, type ObjectiveName } from '../algorithm/objectives.ts';
import { counted } from '../text/figures.ts';
import type { ConfigFault } from './faults.ts';

// The trainer receives the name as JSON in UTF-8, which cannot express half of a surrogate pair.
const moduleName = z
  .string()
  .min(1)
  .refine((text) => !/[\ud800-\udfff]/u.test(text), 'expected well-formed Unicode');

const objective = z.enum(objectiveNames);
const ofRole = (role: Role) =>
  objective.default('imitation').describe(`Of ${role.name} models. Default: imitation.`);

/**
 * The `fine_tune` of an experiment: the trainer's settings under TRL's and PEFT's own names. The defaults are for LoRA: about ten times the learning rate of full fine-tuning, and at most 32 rows in an optimiser step (Schulman et al., LoRA Without
 * Regret, 2025). The paper's own settings, which are for full fine-tuning, are the preset `paper-full`. The trainer refuses exactly what this
 * refuses (contract.ts; test/config/contract.test.ts compares the two).
 */
export const fineTuneConfigSchema = z
  .strictObject({
    method: z
      .enum(['lora', 'qlora', 'full'])
      .default('lora')
      .describe(
        'What is trained: `lora` (an adapter on the base model), `qlora` (also an adapter; the base model is in 4 bits during the training, which takes less memory and needs bitsandbytes: `npx colloquy setup --qlora`) or `full` (all weights, as in the paper). A full fine-tune makes a whole model of each agent and role.',
      ),
    learning_rate: z
      .number()
      .positive()
      .max(1)
      .default(2e-4)
      .describe(
        'Peak learning rate. LoRA needs about ten times the rate of full fine-tuning; the paper’s is 1e-5, for full fine-tuning.',
      ),
    num_train_epochs: z.number().positive().max(1000).default(2).describe('Passes over a dataset.'),
    per_device_train_batch_size: z.int().min(1).max(1024).default(4).describe('Rows in a batch.'),
    gradient_accumulation_steps: z
      .int()
      .min(1)
      .max(4096)
      .default(4)
      .describe(
        'Batches in an optimiser step. LoRA learns best with at most 32 rows in a step; the paper’s 192 are for full fine-tuning.',
      ),
    // transformers' schedulers that need no settings of their own. The decay of `inverse_sqrt` depends on the steps of the warm-up.
    lr_scheduler_type: z
      .enum(['linear', 'cosine', 'constant', 'constant_with_warmup', 'polynomial', 'inverse_sqrt'])
      .default('cosine')
      .describe('How the learning rate changes over the steps.'),
    // Below 1, because transformers receives it as `warmup_steps`, where 1 means one step and not a share.
    warmup_ratio: z
      .number()
      .min(0)
      .lt(1)
      .default(0.03)
      .describe(
        'Share of the steps in which the learning rate rises to its peak. It is above 0 from the first step on.',
      ),
    weight_decay: z.number().min(0).max(1).default(0).describe('Weight decay of AdamW.'),
    max_length: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(2048)
      .describe('The greatest number of tokens of a row. Longer rows are left out and counted.'),
    save_steps: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(50)
      .describe('Optimiser steps between two checkpoints.'),
    gradient_checkpointing: z.boolean().default(false).describe('Needs less memory and more time.'),
    lora_r: z.int().min(1).max(512).default(16).describe('Rank of the LoRA adapters.'),
    // An integer, because PEFT's LoraConfig and adapter_config.json declare one, and vLLM reads one.
    lora_alpha: z
      .int()
      .min(1)
      .max(4096)
      .default(32)
      .describe('The scale of the LoRA adapters is lora_alpha / lora_r.'),
    lora_dropout: z.number().min(0).max(0.99).default(0).describe('Dropout of the LoRA adapters.'),
    lora_target_modules: z
      .union([moduleName, z.array(moduleName).min(1)])
      .default('all-linear')
      .describe('The modules that get an adapter: `all-linear`, or their names.'),
    objective: z
      .union([
        objective,
        z.strictObject({ [generation.name]: ofRole(generation), [critic.name]: ofRole(critic) }),
      ])
      .default('imitation')
      .describe(
        'How models learn: `imitation` (the paper: of answers that equal the label), or `dpo` or `kto` (they also compare them with answers that do not). One for all models, or by role: `{generation: dpo, critic: imitation}`: docs/objectives.md.',
      ),
    beta: z
      .number()
      .positive()
      .max(10)
      .default(0.1)
      .describe(
        'Of dpo and kto: the greater, the closer a model stays to the one where its training starts.',
      ),
    sft_weight: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe(
        'Of dpo and kto: the weight of an imitation term in the loss, on the chosen answers. Default: 1 for dpo, 0 for kto.',
      ),
  })
  .describe('How each generation and critic model is fine-tuned, under the names of TRL and PEFT.');

export type FineTuneConfig = z.infer<typeof fineTuneConfigSchema>;

/** The settings of an experiment for which votes, and which pairs of answers, its models learn from; the paper has none of them. */
export const votesAndPairs = {
  label_votes: z
    .enum(['last', 'both'])
    .default('last')
    .describe(
      'Which answers vote on the label of a training question. `last`: those of the last round, as on the debate’s own answer. `both`: those of both rounds, or of all when there are more: a label then has up to `agents` × `rounds` votes.',
    ),
  min_votes: z
    .int()
    .min(1)
    .max(200)
    .default(1)
    .describe(
      'A label with fewer votes gives no training data. At most `agents`, and with `label_votes: both` at most `agents` × `rounds`.',
    ),
  max_votes: z
    .int()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'A label with more votes gives no training data: questions on which all agree are easy. Default: no limit.',
    ),
  pairs: z
    .enum(['own', 'group'])
    .default('group')
    .describe(
      'Of dpo and kto: whose answers are compared. `own`: those of the agents that have the model. `group`: also another agent’s where its own are all on one side.',
    ),
  samples: z
    .int()
    .min(1)
    .max(32)
    .optional()
    .describe(
      'Of dpo and kto: how many more first answers each agent gives to each training question. They make pairs where its first answers all agree, and vote on nothing. Default: none.',
    ),
  min_pairs: z
    .int()
    .min(1)
    .max(100_000)
    .default(50)
    .describe('Of dpo and kto: a model with fewer pairs keeps to imitation in that iteration.'),
  label_weight: z
    .enum(['none', 'margin'])
    .default('none')
    .describe(
      'Of dpo and kto: `margin` lets a pair count by how far the label’s votes are ahead of the next answer’s. A tie then counts nothing.',
    ),
};

type Voting = {
  readonly label_source: 'consensus' | 'gold';
  readonly label_votes: 'last' | 'both';
  readonly rounds: number;
  readonly min_votes: number;
  readonly max_votes?: number | undefined;
};

/** How many votes a label can have. */
export function mostVotes({ label_votes, rounds }: Pick<Voting, 'label_votes' | 'rounds'>, agents: number) {
  return label_votes === 'both' ? agents * rounds : agents;
}

/** What a config asks for and no label can have, where all rounds vote. Where the last one does, the schema of an experiment finds it. */
export function voteFaults(config: Voting, agents: number): ConfigFault[] {
  if (config.label_votes === 'last') return [];
  if (config.label_source === 'gold')
    return [
      {
        path: 'label_votes',
        message: 'both was given, but with label_source: gold no vote decides a label. Omit one of the two',
      },
    ];
  const most = mostVotes(config, agents);
  const there = `with label_votes: both, ${counted(agents, 'agent')} ${agents === 1 ? 'has' : 'have'} ${counted(most, 'vote')} in ${counted(config.rounds, 'round')}`;
  const remedies = {
    min_votes: `no question could ever yield data. Set at most ${most}`,
    max_votes: `it would leave nothing out. Omit it, or set less than ${most}`,
  };
  return (['min_votes', 'max_votes'] as const).flatMap((path) => {
    const given = config[path];
    if (given === undefined || given <= most) return [];
    return [{ path, message: `${given} was given; ${there}: ${remedies[path]}` }];
  });
}

/** One model out of the group: docs/distill.md. The paper does not do it. */
export const distillSchema = z
  .strictObject({
    from: z
      .enum(distillSources)
      .default('debate')
      .describe(
        'Whose answers it learns from. `debate`: those of all agents. `best`: those of the agent whose first answers equal the consensus most often.',
      ),
    objective: objective
      .default('imitation')
      .describe('How it learns from them: docs/objectives.md. Its other settings are those of `fine_tune`.'),
  })
  .describe(
    'After the last iteration one model, which starts at the base model of agent 1, learns from the training debates of that iteration (with a guard: of the best one); it answers the held-out questions alone, beside the debate: docs/distill.md. Omitted: none.',
  );

/** The objective of a role's models. */
export function objectiveOf(
  { objective: given }: Pick<FineTuneConfig, 'objective'>,
  role: string,
): ObjectiveName {
  return typeof given === 'string' ? given : (given[role] ?? 'imitation');
}

/**
 * `adapter`: a LoRA adapter, which is loaded on top of the base model. `full`: a whole model. `hosted`: a name at the server that trained the
 * model and keeps its weights.
 */
export const modelForms = ['adapter', 'full', 'hosted'] as const;
export type ModelForm = (typeof modelForms)[number];

/** What a form means for a program that loads a model (`whole`: the model's files are all that it needs), and for people (`change`: how it differs from its base). */
export const aboutForm: Readonly<Record<ModelForm, { readonly whole: boolean; readonly change: string }>> = {
  adapter: { whole: false, change: 'a LoRA adapter merged into it' },
  full: { whole: true, change: 'all its weights fine-tuned' },
  // It has no files here: its manifest has the name that it has at its server.
  hosted: { whole: false, change: 'weights that its server keeps' },
};

/** The form of the models that fine-tunes with these settings make on a device of our own. */
export function formOf({ method }: Pick<z.infer<typeof fineTuneConfigSchema>, 'method'>): 'adapter' | 'full' {
  return method === 'full' ? 'full' : 'adapter';
}

/** The ranks of adapters that vLLM can be started for. */
const vllmRanks = [1, 8, 16, 32, 64, 128, 256, 320, 512] as const;

/** The smallest rank of vLLM's that is not below `rank`; the largest for a larger one, which vLLM then refuses in its own words. */
export function roundedRank(rank: number): number {
  return vllmRanks.find((known) => known >= rank) ?? 512;
}
