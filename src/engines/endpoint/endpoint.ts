/** The port to whatever answers: what every kind of endpoint does (test/engines/endpoint.contract.ts). */
import type { ResponseScore } from '../../algorithm/measures/diversity.ts';
import type { ChatRequest, TemplateVariables, TrainingCheck } from '../../config/server-contract.ts';
import type { Message } from '../../algorithm/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import type { ModelForm } from '../../config/fine-tune.ts';
import type { Model } from '../../store/models.ts';
import type { UnneededAdapter } from './adapters.ts';
import type { ChatCompletion } from './chat-client.ts';
import type { ServingNeeds } from '../vllm/needs.ts';
import type { Needs, Shortcoming } from './examination.ts';
import type { RequestSlots } from '../waiting.ts';
import type { OnBusy } from './server-requests.ts';

/** Responses to the same messages, from any models. */
export interface ResponsesToScore extends TemplateVariables {
  readonly messages: readonly Message[];
  readonly responses: readonly string[];
}

/** Where a base model answers, and the models that are fine-tuned on it. Only an endpoint looks into a model's form. */
export interface Endpoint {
  /**
   * Has the server load what `models` need and it does not have yet, and proves that each fine-tune changes the answers.
   *
   * @throws AdapterWithoutEffect, AdaptersUnsupported, or the chat client's errors
   */
  serve(models: readonly Model[], signal: AbortSignal, onBusy?: OnBusy): Promise<void>;
  /**
   * One answer of `model`, which is served first when it is not (any more). To be called in a slot, so that the server has no
   * more requests in flight than it can take.
   *
   * @throws AdaptersUnsupported, or the chat client's errors
   */
  chat(
    model: Model,
    request: Omit<ChatRequest, 'model'>,
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<ChatCompletion>;
  /**
   * How likely `model` finds each response. To be called in a slot.
   *
   * @throws PromptLogprobsUnsupported, AdaptersUnsupported, or the chat client's errors
   */
  score(
    model: Model,
    request: ResponsesToScore,
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<readonly ResponseScore[]>;
  /**
   * The texts as vectors, by a base model that is a sentence encoder. To be called in a slot.
   *
   * @throws EmbeddingsUnsupported, or the chat client's errors
   */
  embed(
    texts: readonly string[],
    signal: AbortSignal,
    onBusy?: OnBusy,
  ): Promise<readonly (readonly number[])[]>;
  /**
   * The server answers and has the base model.
   *
   * @returns the name under which a hosted model answers, where that is another one (an alias): what is accepted here is accepted later
   * @throws ModelNotServed, or the chat client's errors
   */
  check(signal?: AbortSignal): Promise<string | null>;
  /**
   * What the server lacks of what an experiment relies on, found by a few short requests.
   *
   * @throws MaxTokensTooLarge, or the chat client's errors
   */
  examine(needs: Needs, signal: AbortSignal): Promise<readonly Shortcoming[]>;
  /**
   * Has the server load a made-up adapter under as many names as the experiment has models, ask them, and unload them.
   *
   * @param folder with the adapter, where the server reads adapters
   * @returns what the server lacks
   * @throws as `serve` does
   */
  tryAdapter(folder: string, models: number, signal: AbortSignal): Promise<readonly Shortcoming[]>;
  /**
   * Has the server unload adapters that are not needed any more, as far as it answers at once. Starts no server.
   *
   * @param unneeded whether an adapter is one of them
   */
  unload(unneeded: UnneededAdapter, signal: AbortSignal): Promise<void>;
  /**
   * Rows like these and these target modules can be trained, and the server can load what comes of it.
   *
   * @returns false when the server cannot check it
   * @throws TrainingImpossible, or the chat client's errors
   */
  checkTraining(check: TrainingCheck, signal: AbortSignal): Promise<boolean>;
  /** The forms of fine-tuned models that it can answer with; none when it has the base model alone. */
  readonly servesForms: readonly ModelForm[];
  /** How many base models it has in memory at once. More of them take turns, and each is loaded at its turn. */
  readonly resident: number;
  /** The same number when whole models that were made here are among them. */
  readonly residentWhole: number;
  /** A slot is taken until the answer is safe: no more than these answers can be lost at once. */
  readonly slots: RequestSlots;
  /** Whether its server uses the device of this worker's fine-tunes: then it answers only while none of them has the device. */
  sharesDevice(): Promise<boolean>;
  /**
   * Leaves the worker's device to a fine-tune: resolves when no slot is taken and nothing is asked, and lets nothing begin until `takeDevice`. An endpoint
   * whose server has a device of its own goes on answering.
   *
   * @param memoryToo whether the fine-tune needs all of the device's memory: a model that is loaded there is then given up
   */
  yieldDevice(memoryToo: boolean): Promise<void>;
  /** Takes the worker's device back after a fine-tune. */
  takeDevice(): Promise<void>;
  /**
   * Whether what it has in memory at once fits, as far as that is known before it starts anything.
   *
   * @param endpoint its name
   * @throws ResidentTooLarge
   */
  readonly requireMemory?: (config: ExperimentConfig, endpoint: string) => Promise<void>;
  /** From now on an experiment will ask it: only an endpoint that starts its own server, and has to size it, listens. */
  readonly expect?: (experiment: string, needs: ServingNeeds) => void;
  /** Ends what the endpoint started (connections, an engine). Answers under way fail. */
  close(): Promise<void>;
}
