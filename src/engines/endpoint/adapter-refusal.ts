/** Why does a server not load an adapter, and what has to be changed about the server? In the words of vLLM 0.32, as it was seen to answer. */
import { roundedRank } from '../../config/fine-tune.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { EngineFailed, type EngineRefused } from '../errors.ts';

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
