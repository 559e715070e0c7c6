/**
 * What does a server lack of what an experiment relies on? It is asked when the experiment is prepared, with a few short requests: a person
 * is there to read the answer, and nothing has been asked of the models yet.
 */
import type { TemplateVariables } from '../../config/server-contract.ts';
import type { Message } from '../../algorithm/agents.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { count, listed } from '../../text/figures.ts';
import type { ChatClient, ChatCompletion } from './chat-client.ts';

/** What an experiment will ask. */
export type Needs = {
  /** Of each answer. */
  readonly maxTokens: number;
  /** The request of a debate with the longest prompt, in which each of `answers` answers has a few characters only. */
  readonly longest: { readonly messages: readonly Message[]; readonly answers: number };
  /** Whether the diversity of answers is measured, which needs the log-probabilities of prompts. */
  readonly scores: boolean;
  readonly template: TemplateVariables;
};

/** Something that a server does not do: an experiment goes on without it, and is worth less. */
export type Shortcoming = {
  /** What it does not do and what that costs, as sentences. */
  readonly says: string;
  readonly remedy: string;
};

/** Enough for two seeds to give two answers. Tokens. */
const probeTokens = 8;

/**
 * Examines the base model.
 *
 * @throws MaxTokensTooLarge; the chat client's errors, also for a chat template that refuses the messages of a debate
 */
export async function examine(
  client: ChatClient,
  baseModel: string,
  needs: Needs,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const context = await contextOf(client, baseModel, signal);
  if (context !== null && needs.maxTokens >= context)
    throw new MaxTokensTooLarge(client.url, needs.maxTokens, context);
  const ask = asker(client, baseModel, needs, signal);
  const alone = await ask(1);
  // Sends several at once, as a debate does: `transformers serve` follows the seed of a single request, and mixes up the seeds of requests that come together.
  const answers = [alone, ...(await Promise.all([ask(1), ask(2), ask(3)]))] as const;
  return [
    ...(await thinkingOf(answers[0], needs.template, ask)),
    ...seedsOf(answers),
    ...reasonsOf(answers),
    ...countsOf(answers),
    ...samplingOf(client),
    ...roomOf(answers[0], needs, context),
  ];
}

/**
 * Whether the model follows the variables of its chat template that the config sets. Nothing else needs to be found out about our own engine.
 *
 * @throws the chat client's errors
 */
export async function examineTemplate(
  client: ChatClient,
  baseModel: string,
  needs: Needs,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const ask = asker(client, baseModel, needs, signal);
  return thinkingOf(await ask(1), needs.template, ask);
}

type Ask = (seed: number, template?: TemplateVariables) => Promise<ChatCompletion>;

function asker(client: ChatClient, baseModel: string, needs: Needs, signal: AbortSignal): Ask {
  return (seed, template = needs.template) =>
    client.complete(
      // Hot, so that another seed gives another answer.
      {
        model: baseModel,
        messages: needs.longest.messages,
        seed,
        temperature: 2,
        top_p: 1,
        max_tokens: probeTokens,
        ...template,
      },
      signal,
    );
}

/** The context of the model, in tokens; null when the server does not say. */
export async function contextOf(
  client: ChatClient,
  baseModel: string,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    return (await client.listModels(signal)).find(({ id }) => id === baseModel)?.context ?? null;
  } catch {
    // Servers that list no models have been asked for a token: they are there.
    return null;
  }
}

function seedsOf([first, again, ...others]: readonly ChatCompletion[]): Shortcoming[] {
  if (first === undefined || again === undefined) return [];
  if (first.text !== again.text)
    return [
      {
        says: 'The server does not follow the seed, or not when several requests come at once: it gave one request two answers. The experiment cannot be repeated with the same answers.',
        remedy: 'Take a server that follows seeds, such as vLLM, if the experiment has to be repeatable.',
      },
    ];
  if (others.some(({ text }) => text !== first.text)) return [];
  return [
    {
      says: 'The server gave three seeds the same answer, at temperature 2. If it does not sample, all agents give the same answers, and a debate changes nothing.',
      remedy: 'Look whether the server samples: it has to follow temperature and seed.',
    },
  ];
}

/** Whether `enable_thinking` has an effect: without it the template writes another prompt, or the answer begins differently. */
async function thinkingOf(
  answer: ChatCompletion,
  { chat_template_kwargs: given }: TemplateVariables,
  ask: Ask,
): Promise<Shortcoming[]> {
  if (given === undefined) return [];
  const { enable_thinking } = given;
  if (!enable_thinking && answer.text.trimStart().startsWith('<think>'))
    return [
      {
        says: 'The model thinks although sampling.enable_thinking is false: its chat template has no such variable, or the server ignores chat_template_kwargs.',
        remedy:
          'Start the server with a chat template that turns thinking off, or leave more room for the thinking (sampling.max_tokens).',
      },
    ];
  const other = await ask(1, { chat_template_kwargs: { enable_thinking: !enable_thinking } });
  if (answer.promptTokens === 0 || other.promptTokens !== answer.promptTokens || other.text !== answer.text)
    return [];
  return [
    {
      says: `sampling.enable_thinking: ${enable_thinking} has no effect: the prompt and the answer are the same with ${!enable_thinking}. The model's chat template has no such variable, or the server ignores chat_template_kwargs.`,
      remedy: 'Leave enable_thinking out, or take a server and a model that follow it.',
    },
  ];
}

function reasonsOf(answers: readonly ChatCompletion[]): Shortcoming[] {
  if (answers.every(({ finishReason }) => finishReason !== 'unknown')) return [];
  return [
    {
      says: 'The server does not say why an answer ended (finish_reason). Answers that max_tokens cuts off are not counted, and are trained on as if they were whole.',
      remedy: 'Set sampling.max_tokens so high that no answer is cut off, or take another server.',
    },
  ];
}

function countsOf(answers: readonly ChatCompletion[]): Shortcoming[] {
  if (answers.every(({ promptTokens, completionTokens }) => promptTokens > 0 && completionTokens > 0))
    return [];
  return [
    {
      says: 'The server does not count tokens (usage). The costs of the report are too low, and an answer that ends because the context is full is taken for one that max_tokens cut off.',
      remedy: 'Keep prompts and answers far below the context of the model, or take another server.',
    },
  ];
}

function samplingOf({ refusedSampling: refused }: ChatClient): Shortcoming[] {
  if (refused.length === 0) return [];
  return [
    {
      says: `The server refuses ${listed(refused)}: there its own values hold, or those of the model's generation_config.json.`,
      remedy:
        'Look at the server that they change nothing (vLLM: --generation-config vllm), or take another server.',
    },
  ];
}

/** Whether the longest prompt of a debate and an answer to it always fit. */
function roomOf(
  { promptTokens }: ChatCompletion,
  { maxTokens, longest }: Needs,
  context: number | null,
): Shortcoming[] {
  const most = promptTokens + (longest.answers + 1) * maxTokens;
  if (context === null || promptTokens === 0 || most <= context) return [];
  return [
    {
      says:
        `The context of the model has ${count(context)} tokens there, and a debate can need ${count(most)}: a prompt of ${count(promptTokens)} tokens, ` +
        `${count(longest.answers)} earlier answers and one more, each of up to ${count(maxTokens)} (sampling.max_tokens). A prompt that leaves too little room is no answer: its step waits for you.`,
      remedy:
        'Set truncate_dialogues: true, a smaller sampling.max_tokens, fewer rounds or summarize: true, or start the server with a longer context (vLLM: --max-model-len).',
    },
  ];
}

/**
 * What several servers lack. A fault of all servers is stated once; before a fault of some servers stands the address.
 *
 * @param found what each server lacks, by address
 */
export function sharedOrNamed(found: ReadonlyMap<string, readonly Shortcoming[]>): Shortcoming[] {
  const all = [...found].flatMap(([url, each]) => each.map((shortcoming) => ({ url, ...shortcoming })));
  const shared = (says: string): boolean => all.filter((each) => each.says === says).length === found.size;
  return all.flatMap(({ url, says, remedy }, place) => {
    if (!shared(says)) return [{ says: `${url}: ${says}`, remedy }];
    return all.findIndex((each) => each.says === says) === place ? [{ says, remedy }] : [];
  });
}

/** No answer of `max_tokens` fits into the context, whatever the prompt. */
export class MaxTokensTooLarge extends ColloquyError {
  override name = 'MaxTokensTooLarge' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(url: string, maxTokens: number, context: number) {
    super(
      `sampling.max_tokens is ${count(maxTokens)}, and the context of the model has only ${count(context)} tokens at ${url}, for a prompt and its answer together. ` +
        'Set a smaller sampling.max_tokens, or start the server with a longer context (vLLM: --max-model-len).',
    );
  }
}
