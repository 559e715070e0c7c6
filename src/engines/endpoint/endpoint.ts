import type { ResponseScore } from '../../algorithm/measures/diversity.ts';
import type { ModelRef } from '../../store/models.ts';
import type { ChatCompletion, ChatRequest, OnBusy } from './chat-client.ts';
import type { ResponsesToScore } from './score.ts';
import type { Turn } from './request-slots.ts';

/** A place where an experiment's models answer: its base model and the adapters fine-tuned on it. */
export interface Endpoint {
  /**
   * One answer of `model`; loads its adapter first when the server does not have it (any more). To be called in a `turn`, so
   * that the server has no more in flight than it can take.
   */
  chat(
    model: ModelRef,
    request: Omit<ChatRequest, 'model'>,
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<ChatCompletion>;
  /**
   * How likely `model` finds each response (score-response.ts). To be called in a `turn`.
   *
   * @throws PromptLogprobsUnsupported, or the chat client's errors
   */
  score(
    model: ModelRef,
    request: ResponsesToScore,
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<readonly ResponseScore[]>;
  /**
   * The texts as vectors, by a base model that is a sentence encoder (embed-texts.ts). To be called in a `turn`.
   *
   * @throws EmbeddingsUnsupported, or the chat client's errors
   */
  embed(
    texts: readonly string[],
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<readonly (readonly number[])[]>;
  /**
   * Loads the adapters of `models` that are not loaded yet, and proves that each changes the answers.
   *
   * @throws AdapterWithoutEffect, AdaptersUnsupported, or the chat client's errors
   */
  prepare(models: readonly ModelRef[], signal: AbortSignal): Promise<void>;
  /**
   * Preflight: the server answers and has the base model.
   *
   * @throws ModelNotServed, or the chat client's errors
   */
  check(signal?: AbortSignal): Promise<void>;
  /** Whether it can answer with fine-tuned models, and not with the base alone. */
  readonly servesAdapters: boolean;
  /** How many turns are taken at once. */
  readonly maxConcurrency: number;
  /** A turn lasts until what came of it is safe: so much can be lost, and no more. */
  readonly turn: Turn;
  /** Ends what the endpoint started (connections, an engine). Answers under way fail. */
  close(): Promise<void>;
}
