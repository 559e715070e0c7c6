/** Which settings does an experiment have, and what is allowed? */
import { z } from 'zod';
import { methodNames } from '../algorithm/methods.ts';
import { budgetSchema, validated } from './limits.ts';
import { distillSchema, fineTuneConfigSchema, votesAndPairs } from './fine-tune.ts';
import { reportToSchema, seriesNameSchema } from './names.ts';
import { samplingSchema } from './server-contract.ts';
import { taskConfigSchema } from './tasks.ts';

/** The settings that make an experiment one night of a series. */
export const carryOverSchema = z
  .strictObject({
    series: seriesNameSchema,
    max_drop: z
      .number()
      .min(0)
      .max(1)
      .default(0.03)
      .describe(
        'The night is rejected when its held-out debate accuracy falls by more than this share, e.g. 0.03 for three points.',
      ),
  })
  .describe(
    'Makes the experiment one night of a series: it continues from the agents of the last accepted night with the next `train_size` questions.',
  );

/** The name of something that the worker's own configuration defines. */
function nameOf(what: 'an endpoint' | 'a trainer') {
  return z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      `expected the name of ${what}: letters, digits, ".", "_", "-"`,
    );
}
const endpointName = nameOf('an endpoint');
/** The model that comes with Colloquy: it does arithmetic, in the language of `prompts: terse`. */
export const embeddedModel = 'engine/models/tiny-arithmetic';

const endpointSetting = endpointName.describe(
  'The endpoint that serves the model: `local`, or a name that the worker’s configs/endpoints.yaml defines.',
);
const modelNameSetting = z
  .string()
  .min(1)
  .max(1024)
  .describe(
    'The base model: a folder (absolute, or relative to the project; for an installed package, to the worker’s current folder), a hub id, or the server’s name for it.',
  );
const modelSchema = z
  .strictObject({
    endpoint: endpointSetting.default('local'),
    model_name_or_path: modelNameSetting.default(embeddedModel),
  })
  .describe('The base model of all agents that have none of their own in `agents`.');

const temperature = samplingSchema.shape.temperature.unwrap();
const temperatures = z
  .union([temperature, z.array(temperature).min(1).max(100)])
  .describe(
    '0 is greedy. Or a list: a value for the training debates of each iteration. The last one continues, and whatever is measured has it.',
  );
const samplingOfDebates = samplingSchema
  .extend({ temperature: temperatures.default(1) })
  .describe('How answers are sampled, under the names of the OpenAI protocol.');

const ownSettings = {
  model: z
    .strictObject({
      endpoint: endpointSetting.exactOptional(),
      model_name_or_path: modelNameSetting.exactOptional(),
    })
    .exactOptional()
    .describe('Its own base model.'),
  sampling: z
    .strictObject({
      temperature: temperatures.exactOptional(),
      top_p: samplingSchema.shape.top_p.unwrap().exactOptional(),
      max_tokens: samplingSchema.shape.max_tokens.unwrap().exactOptional(),
      enable_thinking: samplingSchema.shape.enable_thinking.unwrap().exactOptional(),
    })
    .exactOptional()
    .describe('How its answers are sampled.'),
};

const agentsSchema = z
  .union([z.int().min(1).max(20), z.array(z.strictObject(ownSettings)).min(1).max(20)])
  .default(3)
  .describe(
    'N: agents in a debate, each with a generation and a critic model. Or a list of the agents, each `{model: {endpoint, model_name_or_path}, sampling: {temperature, top_p, max_tokens, enable_thinking}}`: an agent takes what it does not set from `model` and `sampling` at the top: docs/agents.md.',
  );

const summarizerSchema = z
  .strictObject(ownSettings)
  .describe(
    'The model that writes the summaries, and its sampling. What it does not set, it takes from agent 1.',
  );

const diversitySchema = z
  .strictObject({
    questions: z
      .int()
      .min(0)
      .max(10_000)
      .default(100)
      .describe('How many held-out questions are measured, drawn by the seed. 0: diversity is not measured.'),
    encoder: z
      .union([
        z.literal('ngrams'),
        z.strictObject({
          endpoint: endpointName.describe('The endpoint that serves the encoder.'),
          model: z.string().min(1).describe('The server’s name for the encoder.'),
        }),
      ])
      .default('ngrams')
      .describe(
        'How responses become vectors: `ngrams` (needs no model), or {endpoint, model}: a sentence encoder behind POST /v1/embeddings.',
      ),
  })
  .describe('How the diversity of the agents is measured after each evaluation: docs/measures.md.');

/**
 * The settings of an experiment. Every default is the paper's (its section 4 and appendix; see the reference in the README);
 * keys are snake_case in memory as in the file, so that one thing has one name.
 */
export const experimentConfigSchema = z
  .strictObject({
    method: z
      .enum(methodNames)
      .default('multiagent-ft')
      .describe('The method, a baseline or an ablation of the paper: docs/methods.md.'),
    seed: z.int().min(0).max(2_147_483_647).default(0).describe('The seed of everything random.'),
    agents: agentsSchema,
    rounds: z.int().min(1).max(10).default(2).describe('M: rounds of a debate.'),
    iterations: z
      .int()
      .min(0)
      .max(100)
      .default(1)
      .describe('L: iterations of debate, datasets and fine-tunes. 0 only evaluates the base model.'),
    summarize: z
      .boolean()
      .default(true)
      .describe('Whether agents see a summary of the other responses instead of the responses.'),
    max_others: z
      .int()
      .min(1)
      .max(19)
      .default(5)
      .describe('The greatest number of other responses that an agent sees.'),
    critic_weight: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('w: the share of corrected dialogues in a critic dataset; the others are kept ones.'),
    critic_mixture: z
      .enum(['sample', 'weight'])
      .default('sample')
      .describe(
        'What w is a share of. `sample`: of the rows; as many rows are drawn as have this proportion. `weight`: of the loss; all rows are used.',
      ),
    data_matched: z
      .boolean()
      .default(false)
      .describe(
        'Whether a model that all agents share learns from as many rows as a model of one agent, drawn by the seed. Otherwise it learns from N times as many.',
      ),
    allow_few_steps: z
      .boolean()
      .default(false)
      .describe(
        'Whether fine-tunes may have fewer than 10 optimiser steps. Otherwise a config that is expected to have fewer is refused before any question is asked.',
      ),
    init_from: z
      .enum(['previous', 'base'])
      .default('previous')
      .describe(
        'Whether a fine-tune starts from the model of the previous iteration or from the base model.',
      ),
    ...votesAndPairs,
    label_source: z
      .enum(['consensus', 'gold'])
      .default('consensus')
      .describe('`gold` trains on the known answers (STaR). The method of the paper never sees them.'),
    train_on_cut_answers: z
      .boolean()
      .default(false)
      .describe(
        'Whether models also learn from answers that were cut off at `sampling.max_tokens`. Training puts the end of a turn behind such an unfinished text.',
      ),
    show_thinking: z
      .boolean()
      .optional()
      .describe(
        'Whether other agents and summaries also see the thinking in a response (the text before `</think>`), and not only its answer. Default: false.',
      ),
    stop_when_unanimous: z
      .boolean()
      .default(false)
      .describe('Ends a debate after round 1 when all answers are equal. Cheaper; the paper does not do it.'),
    truncate_dialogues: z
      .boolean()
      .default(false)
      .describe(
        'Whether a dialogue that is too long for the model’s context loses its oldest turns, which is counted. Otherwise the step waits and shows which prompt is too long.',
      ),
    equal_tokens: z
      .boolean()
      .default(true)
      .describe(
        'Whether each evaluation also measures majority voting with the number of first answers that costs the same tokens as the debate.',
      ),
    keep: z
      .enum(['all', 'last'])
      .default('all')
      .describe(
        'Which models stay on disk: those of `all` iterations, or of the `last` finished one. A removed model is made again where it is needed after all. Checkpoints are always removed when their model is finished.',
      ),
    prompts: z
      .enum(['paper', 'reflect', 'terse'])
      .default('paper')
      .describe(
        '`paper`: instructions in English. `reflect`: also in English; agents reflect on their own answer, criticise each of the others, and change theirs only for a reason (docs/methods.md). `terse`: the language of the embedded model.',
      ),
    shard_size: z.int().min(1).max(500).default(32).describe('How many questions one activity debates.'),
    task: taskConfigSchema.prefault({ kind: 'arithmetic' }).describe('The questions.'),
    transfer: z
      .record(
        z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$/, 'expected 1 to 24 letters, digits, "_" or "-"'),
        taskConfigSchema,
      )
      .default({})
      .describe(
        'Zero-shot transfer: other tasks, each under a name that you choose. The base model and the last agents are also measured on their held-out questions.',
      ),
    model: modelSchema.prefault({}),
    sampling: samplingOfDebates.prefault({}),
    summarizer: summarizerSchema.optional(),
    diversity: diversitySchema.prefault({}),
    fine_tune: fineTuneConfigSchema.prefault({}),
    distill: distillSchema.optional(),
    trainer: nameOf('a trainer')
      .optional()
      .describe(
        'The trainer: a name that the worker’s configs/trainers.yaml defines. Default: `local`. It does not change the models, except that one of kind `openai` makes models of its own, which stay at its server.',
      ),
    shared_answers: seriesNameSchema
      .optional()
      .describe(
        'Experiments with the same value share their answers: equal requests are sent once. A study sets it.',
      ),
    carry_over: carryOverSchema.optional(),
    budget: budgetSchema.optional(),
    ...validated,
    report_to: reportToSchema,
  })
  .refine((config) => config.label_votes === 'both' || config.min_votes <= agentCount(config), {
    path: ['min_votes'],
    message:
      'more votes than there are agents: no question could ever yield data. Set at most as many as there are agents',
    // Checked also when other fields are wrong, so that every fault is reported at once; but only when both are of the right kind.
    when: ({ value }) =>
      z.looseObject({ min_votes: z.int(), agents: z.union([z.int(), z.array(z.unknown())]) }).safeParse(value)
        .success,
  })
  .refine(({ max_votes: most = Infinity, min_votes: least }) => most >= least, {
    path: ['max_votes'],
    message:
      'smaller than min_votes: no question could ever yield data. Set it to min_votes or more, or omit it',
    when: ({ value }) => z.looseObject({ min_votes: z.int(), max_votes: z.int() }).safeParse(value).success,
  });
export type ExperimentConfig = z.infer<typeof experimentConfigSchema>;

/** N: how many agents a config has. `agentsOf` (agents.ts) gives the agents themselves. */
export function agentCount({ agents }: { readonly agents: number | readonly unknown[] }): number {
  return typeof agents === 'number' ? agents : agents.length;
}

/** Of an experiment in the store, also one that an older version began: its `use_peft: true` was `method: lora`. */
export const storedConfigSchema = z.preprocess((config) => {
  const older = z.looseObject({ fine_tune: z.looseObject({ use_peft: z.boolean() }) }).safeParse(config).data;
  if (older === undefined) return config;
  const { use_peft, ...rest } = older.fine_tune;
  return { ...older, fine_tune: { ...rest, method: use_peft ? 'lora' : 'full' } };
}, experimentConfigSchema);
