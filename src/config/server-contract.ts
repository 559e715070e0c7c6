/**
 * Which messages do TypeScript and the server exchange: engine/serve.py, and other servers as far as our client uses them? With
 * contract.ts these are all that TypeScript declares; write-schema.ts writes both to engine/colloquy_engine/protocol/contract.json.
 */
import { z } from 'zod';
import { fineTuneConfigSchema } from './fine-tune.ts';

const name = z.string().min(1);
const count = z.int().min(0);

const temperature = z.number().min(0).max(2).describe('0 is greedy.');
const topP = z
  .number()
  .positive()
  .max(1)
  .describe('Nucleus sampling: the share of the probability that is sampled from.');
const maxTokens = z
  .int()
  .min(1)
  .max(131_072)
  .describe('The greatest number of tokens of an answer, including its thinking.');
const enableThinking = z
  .boolean()
  .describe(
    'The variable `enable_thinking` of the chat template (`chat_template_kwargs`): whether a model that can think does so before it answers. When it is not set, the template decides. It holds for answers, summaries, scores and training alike.',
  );

export const samplingSchema = z
  .strictObject({
    temperature: temperature.default(1),
    top_p: topP.default(0.9),
    max_tokens: maxTokens.default(2048),
    enable_thinking: enableThinking.optional(),
  })
  .describe('How answers are sampled, under the names of the OpenAI protocol.');

/** Variables of the chat template, beside the messages, under the name that vLLM, llama.cpp and TRL use for them. */
export const chatTemplateKwargsSchema = z.object({ enable_thinking: z.boolean() }).readonly();
const template = { chat_template_kwargs: chatTemplateKwargsSchema.optional() };
export type TemplateVariables = {
  readonly chat_template_kwargs?: z.infer<typeof chatTemplateKwargsSchema> | undefined;
};

/** The variables of the chat template that a config sets, as a part of a request or of a training row; nothing when it sets none. */
export function templateVariables({
  enable_thinking,
}: Pick<z.infer<typeof samplingSchema>, 'enable_thinking'>): TemplateVariables {
  return enable_thinking === undefined ? {} : { chat_template_kwargs: { enable_thinking } };
}

const messages = z
  .array(z.object({ role: z.enum(['user', 'assistant']), content: z.string() }).readonly())
  .min(1)
  .readonly();

/** A request for one answer: POST /chat/completions. */
export const chatRequestSchema = z
  .object({
    model: z.string(),
    messages,
    seed: z
      .int()
      .min(0)
      .lt(2 ** 31),
    ...samplingSchema.omit({ enable_thinking: true }).shape,
    ...template,
  })
  .readonly();
export type ChatRequest = z.infer<typeof chatRequestSchema>;

/** A request to the same path for the log-probabilities of the prompt's own tokens (vLLM's `prompt_logprobs`). */
export const scoreRequestSchema = z
  .object({
    model: z.string(),
    messages,
    max_tokens: z.literal(1),
    temperature: z.literal(0),
    seed: z.literal(0),
    /** How many of the most probable tokens the server adds at each place to the prompt's own token. */
    prompt_logprobs: z.literal([0, 1]),
    add_generation_prompt: z.boolean().optional(),
    /** The last message is the beginning of the answer. Needs `add_generation_prompt: false`. */
    continue_final_message: z.boolean().optional(),
    ...template,
  })
  .readonly();

/**
 * A request to the same path for a short greedy answer with the log-probabilities of its own tokens and of the likeliest others: the same
 * model answers it in the same way, and another model in another.
 */
export const canaryRequestSchema = z
  .object({
    model: z.string(),
    messages,
    max_tokens: z.literal(16),
    temperature: z.literal(0),
    seed: z.literal(0),
    logprobs: z.literal(true),
    top_logprobs: z.literal(5),
  })
  .readonly();
export type CanaryRequest = z.infer<typeof canaryRequestSchema>;

const choice = z.object({
  message: z.object({ content: z.string().nullish() }),
  finish_reason: z.string().nullish(),
});
/** The answer to a ChatRequest: the part of OpenAI's format that our client reads, from this server or another. */
export const chatAnswerSchema = z.object({
  model: z.string().nullish(),
  choices: z.tuple([choice], choice),
  usage: z
    .object({
      prompt_tokens: count,
      completion_tokens: count.default(0),
      /** Of services that do not count hidden reasoning as completion, more than the two together. */
      total_tokens: count.nullish(),
    })
    .nullish(),
});

const tokenLogprob = z.object({ token: z.string(), logprob: z.number() });
const answerLogprobs = z.object({
  content: z.array(tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) })).nullish(),
});
const canaryChoice = choice.extend({ logprobs: answerLogprobs.nullish() });
/** The answer to a CanaryRequest. `logprobs` is missing when a server does not support them. */
export const canaryAnswerSchema = z.object({ choices: z.tuple([canaryChoice], canaryChoice) });

/** Log-probabilities by place in the prompt, then by token id; null at the first place. Rounded numbers may lie just above 0. */
export const promptLogprobsSchema = z
  .array(z.record(z.string(), z.object({ logprob: z.number().refine(isLogprob) })).nullable())
  .refine((places) => places.slice(1).every((place) => place !== null && Object.keys(place).length > 0), {
    message: 'a place without a token',
  });

function isLogprob(value: number): boolean {
  return value >= -1e9 && value <= 0.01;
}

/** The answer to a request for scores. `prompt_logprobs` is missing when a server does not support them. */
export const scoreAnswerSchema = z.object({ prompt_logprobs: promptLogprobsSchema.nullish() });

/**
 * The answer to GET /models. `root` is where the server loaded the model from; `max_model_len` how many tokens a prompt and its answer
 * may have together.
 */
export const modelListSchema = z.object({
  data: z.array(
    z.object({ id: z.string(), root: z.string().nullish(), max_model_len: z.number().nullish() }),
  ),
});

/** vLLM's requests to load and to unload a LoRA adapter; `lora_path` is a path on the server's machine. */
export const loadAdapterSchema = z.object({ lora_name: name, lora_path: name });
export const unloadAdapterSchema = z.object({ lora_name: name });

const row = {
  /** What the row is, for messages. */
  kind: z.string(),
  prompt: messages,
  completion: messages,
  ...template,
};
/**
 * A request to POST /check_training: can rows like these made-up ones and these target modules be trained, and can the server load what
 * comes of it? Only engine/serve.py has it.
 */
export const checkTrainingSchema = z
  .object({
    examples: z.array(z.object(row).readonly()).readonly(),
    /** Null when all weights are trained. */
    lora_target_modules: fineTuneConfigSchema.shape.lora_target_modules.unwrap().nullable(),
    /** `method: qlora` */
    load_in_4bit: z.boolean().optional(),
    /** An adapter of these settings is written into the folder. Only engine/train.py does so. */
    made_up_adapter: fineTuneConfigSchema
      .pick({ lora_r: true, lora_alpha: true })
      .extend({ folder: name })
      .optional(),
  })
  .readonly();
export type TrainingCheck = z.infer<typeof checkTrainingSchema>;

/** The answer to a TrainingCheck: how many modules would be adapted. */
export const trainingCheckedSchema = z.object({ modules: count });

/** The body of an answer with a status of 400 or above. */
export const errorAnswerSchema = z.object({
  error: z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }),
});

/** The line that the server writes to stdout when it is ready for requests. */
export const serverReadySchema = z.object({
  event: z.literal('ready'),
  port: z.int().min(1).max(65_535),
  memory: z
    .int()
    .min(1)
    .nullish()
    .describe('Bytes that one more process with this model takes; null where one uses all of the machine.'),
});

/** The line that it writes instead when it cannot serve its model. It then ends, and another start would end in the same way. */
export const serverRefusesSchema = z.object({ event: z.literal('refuses'), message: z.string() });
