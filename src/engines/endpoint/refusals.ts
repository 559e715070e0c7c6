/** Which refusals of a server would come again, for a prompt that is too long for the model's context, or an adapter that it cannot load? The words about adapters are those that vLLM 0.32 was seen to answer with. */
import type { Message } from '../../algorithm/agents.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { EngineFailed, EngineRefused } from '../errors.ts';
import { roundedRank } from '../../config/fine-tune.ts';

/**
 * Whether a prompt and its answer did not fit into the context: refused so in the words of vLLM, OpenAI, llama.cpp or engine/serve.py, or
 * answered with what there was room for.
 */
export function isTooLong(error: unknown): error is EngineRefused | ContextFull {
  if (error instanceof ContextFull) return true;
  return (
    error instanceof EngineRefused &&
    error.status === 400 &&
    /maximum context length|context_length_exceeded|longer than the maximum model length|exceeds the available context size/i.test(
      error.words,
    )
  );
}

type Cause = { readonly sign: RegExp; readonly advice: (match: RegExpExecArray, path: string) => string };

/** The first whose sign is in the server's words is the cause. */
const causes: readonly Cause[] = [
  {
    sign: /LoRA is not enabled|--enable-lora/i,
    advice: () => 'Start it with --enable-lora.',
  },
  {
    sign: /LoRA rank (\d+) is greater than max_lora_rank/i,
    advice: ([, rank]) =>
      `Start it with --max-lora-rank ${roundedRank(Number(rank))}, or choose a smaller fine_tune.lora_r.`,
  },
  {
    sign: /No adapter found|adapter_config\.json|No such file/i,
    advice: (_, path) =>
      `It looks for the folder ${path} on its own machine: let the server see the store's folder under the same path.`,
  },
  {
    sign: /size of tensor|size mismatch|shape|expected target modules|unexpected modules/i,
    advice: () =>
      'The adapter does not fit into the model that the server has: it belongs to another base model, or the server has LoRA for other modules (--lora-target-modules).',
  },
  {
    sign: /Call to add_lora method failed/i,
    advice: () => 'The log of the server has the cause.',
  },
];

/**
 * The error for a refusal that would come again, however often the adapter is sent.
 *
 * @param path the folder of the adapter
 * @returns null when another try may help, or when the server has an adapter of that name already
 */
export function adapterRefusal(error: EngineFailed | EngineRefused, path: string): AdapterNotLoaded | null {
  const { status, words } = error;
  if (/already/i.test(words) || isDeath(error)) return null;
  for (const { sign, advice } of causes) {
    const match = sign.exec(words);
    if (match !== null) return new AdapterNotLoaded(error, advice(match, path));
  }
  // A server that has no such route knows nothing of adapters in its refusal.
  if (status === 404 || status === 405) return new AdapterNotLoaded(error, noRoute);
  return null;
}

const noRoute =
  'It has no route to load adapters while it runs: start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment.';

/** vLLM's words when its engine has died under the API server, which ends soon after. */
export function isDeath(error: unknown): error is EngineFailed {
  return (
    error instanceof EngineFailed &&
    /EngineCore encountered an issue|EngineDead|engine.{0,20}\bdead\b/i.test(error.words)
  );
}

/**
 * An answer ended before it had `max_tokens` tokens, because the prompt left no more room in the model's context. It is no answer of the
 * model: servers such as vLLM give it with status 200.
 */
export class ContextFull extends ColloquyError {
  override name = 'ContextFull' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** What happened, for PromptTooLong. */
  readonly words: string;

  constructor(
    url: string,
    tokens: { readonly promptTokens: number; readonly taken: number; readonly maxTokens: number },
  ) {
    const { promptTokens, taken, maxTokens } = tokens;
    const words = `the answer was cut off after ${taken} of ${maxTokens} tokens, as the prompt of ${promptTokens} tokens left no more room.`;
    super(`${url} has too short a context: ${words}`);
    this.words = words;
  }
}

/** Which prompt of a debate it is. */
export type PromptPlace = {
  readonly questionId: string;
  readonly agent: number;
  readonly round: number;
  readonly speaker: string;
};

/** A prompt of a debate and the longest answer to it do not fit into the model's context. */
export class PromptTooLong extends ColloquyError {
  override name = 'PromptTooLong' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly place: PromptPlace;

  constructor(place: PromptPlace, messages: readonly Message[], words: string) {
    const characters = messages.reduce((sum, { content }) => sum + content.length, 0);
    super(
      `The prompt of ${place.questionId} for agent ${place.agent} in round ${place.round} (${place.speaker}, ${messages.length} messages, ` +
        `${characters} characters) does not fit into the model's context. The server says: ${words} ` +
        'With truncate_dialogues: true, which can be changed now, a dialogue loses its oldest turns instead, where it has more than two rounds. ' +
        'Or begin another experiment with a model of a longer context, fewer rounds, summaries, or a smaller sampling.max_tokens or max_others.',
    );
    this.place = place;
  }
}

/** A server refuses to load an adapter, and would refuse it again. */
export class AdapterNotLoaded extends ColloquyError {
  override name = 'AdapterNotLoaded' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly status: number;
  /** The server's own words, without any key. */
  readonly words: string;

  /** @param advice what to change, as a sentence */
  constructor(
    refusal: { readonly url: string; readonly status: number; readonly words: string },
    advice: string,
  ) {
    super(
      `The server does not load the fine-tuned model (${refusal.url} answered ${refusal.status}: ${refusal.words}). ${advice}`,
    );
    this.status = refusal.status;
    this.words = refusal.words;
  }
}

/** A server that finds adapters by their names (engine/vllm_resolver) does not find or does not accept this one. */
export class AdapterNotFound extends ColloquyError {
  override name = 'AdapterNotFound' as const;
  // A shared folder may show the files of the worker only after a while.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(refusal: { readonly url: string; readonly status: number; readonly words: string }) {
    super(
      `The server does not find the fine-tuned model by its name (${refusal.url} answered ${refusal.status}: ${refusal.words}). ` +
        'The log of the server has the reason. Its COLLOQUY_STORE has to be the store of this worker.',
    );
  }
}
