import { notDefinedHere } from '../config/load.ts';
import { ColloquyError, exitCodes } from '../errors.ts';

/** The worker's configuration has no endpoint of this name. Another worker may have one. */
export class EndpointUnknown extends ColloquyError {
  override name = 'EndpointUnknown' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.badUsage;
  override readonly workerLacksIt = true;

  constructor(endpoint: string, known: readonly string[]) {
    super(notDefinedHere('endpoint', endpoint, known));
  }
}

/** A loaded adapter answers the canary prompt exactly as the base model does, though its weights are not all zero. */
export class AdapterWithoutEffect extends ColloquyError {
  override name = 'AdapterWithoutEffect' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly adapter: string;
  readonly path: string;

  constructor(adapter: string, path: string) {
    super(
      `The adapter ${adapter} (${path}) was loaded, but the model answers exactly as the base model does. ` +
        `The server ignores it: start it with LoRA enabled for these target modules and this rank.`,
    );
    this.adapter = adapter;
    this.path = path;
  }
}

/** An experiment wants a fine-tuned model to answer where only the base model can. */
export class AdaptersUnsupported extends ColloquyError {
  override name = 'AdaptersUnsupported' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  // After the preparation, it is a worker whose configuration describes the endpoint otherwise than the preparing worker's.
  override readonly workerLacksIt = true;

  constructor(url: string) {
    super(
      `${url} is an endpoint of kind openai, which has only the fine-tuned models that its own server trained and cannot load others. ` +
        `Describe it as an endpoint of kind local or vllm where this worker runs, or begin an experiment with iterations: 0.`,
    );
  }
}

/** A whole model is to answer at an endpoint that has adapters only. */
export class WholeModelsUnsupported extends ColloquyError {
  override name = 'WholeModelsUnsupported' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  // The preparing worker's configuration described the endpoint otherwise.
  override readonly workerLacksIt = true;

  constructor(endpoint: string) {
    super(
      `The endpoint ${endpoint} cannot load whole models, which fine_tune.method: full makes. ` +
        `Describe it as an endpoint of kind local, or of kind vllm without url, where this worker runs, or begin an experiment with fine_tune.method: lora.`,
    );
  }
}

/** A server that has several adapters at once answers for one of them with another. */
export class AnsweredByAnother extends ColloquyError {
  override name = 'AnsweredByAnother' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, asked: string, answeredBy: string) {
    super(
      `${url} answered for ${asked} with ${answeredBy} when both were asked at the same time, and rightly when each was asked alone. ` +
        `No answer of such a server can be trusted: use another version of it.`,
    );
  }
}

/** A sentence encoder is wanted where there is none. */
export class EmbeddingsUnsupported extends ColloquyError {
  override name = 'EmbeddingsUnsupported' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(model: string) {
    super(
      `The embedded engine answers chats and makes no embeddings, so ${model} cannot be its sentence encoder. ` +
        `Name an endpoint of kind vllm or openai that serves it, or use the encoder ngrams.`,
    );
  }
}

/** The server answered with something else than the OpenAI chat protocol has: HTML, another shape, bytes that are no text. */
export class EngineAnswerInvalid extends ColloquyError {
  override name = 'EngineAnswerInvalid' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly url: string;
  /** What is wrong with the answer. */
  readonly fault: string;
  /** How the answer begins, without any key. */
  readonly excerpt: string;

  constructor(url: string, fault: string, excerpt: string) {
    super(
      `${url} gave an answer that is not the OpenAI protocol's: ${fault}. ` +
        `${excerpt === '' ? '' : `It begins: ${excerpt}. `}Is this the URL of an OpenAI-compatible server (ends in /v1)?`,
    );
    this.url = url;
    this.fault = fault;
    this.excerpt = excerpt;
  }
}

/** The server kept asking for patience (429 or 503) for longer than a request waits. Trying again later may help. */
export class EngineBusy extends ColloquyError {
  override name = 'EngineBusy' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly url: string;
  readonly status: number;
  /** How long the server, or the usual back-off, wants the next try to wait. Milliseconds. */
  readonly retryAfterMs: number;

  constructor(url: string, status: number, waitedMs: number, retryAfterMs: number, words: string) {
    super(
      `${url} answered ${status} for ${Math.round(waitedMs / 1000)} s and wants another ` +
        `${Math.ceil(retryAfterMs / 1000)} s: ${words}. Lower max_concurrency of this endpoint, or raise the server's limits.`,
    );
    this.url = url;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** An engine was asked for an answer after its worker had begun to shut down. */
export class EngineClosed extends ColloquyError {
  override name = 'EngineClosed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(engine: string) {
    super(`${engine} has been closed, as its worker is shutting down. Start a worker to go on.`);
  }
}

/** The server failed (status 5xx). Trying again may help. */
export class EngineFailed extends ColloquyError {
  override name = 'EngineFailed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly url: string;
  readonly status: number;
  /** The server's own words, without any key. */
  readonly words: string;

  constructor(url: string, status: number, words: string) {
    super(`${url} failed with status ${status}: ${words}. Its log says more.`);
    this.url = url;
    this.status = status;
    this.words = words;
  }
}

/** The server refused the request (status 3xx or 4xx): the same request would be refused again. */
export class EngineRefused extends ColloquyError {
  override name = 'EngineRefused' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly url: string;
  readonly status: number;
  /** The server's own words, without any key. */
  readonly words: string;

  /** @param withKey whether the request had a key */
  constructor(url: string, status: number, words: string, withKey = true) {
    super(`${url} refused with status ${status}: ${words}${hintOn(status, withKey)}`);
    this.url = url;
    this.status = status;
    this.words = words;
  }
}

function hintOn(status: number, withKey: boolean): string {
  if (status === 401 && !withKey)
    return ' (the server wants a key: put it into an environment variable where the worker runs, and name that variable as api_key_env of this endpoint)';
  return hints.get(status) ?? '';
}

const hints: ReadonlyMap<number, string> = new Map([
  [401, ' (is the key in the variable that api_key_env names the right one?)'],
  [403, ' (may this key use this model?)'],
  [404, ' (is the model served there, and is the URL right?)'],
  [405, ' (is the URL right? Another program may answer there)'],
  [429, ' (waiting will not help)'],
]);

/** No answer came: no server listens, the connection broke, or it took too long. Trying again may help. */
export class EngineUnreachable extends ColloquyError {
  override name = 'EngineUnreachable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly url: string;
  /** The error code of the system: `ECONNREFUSED`, `ECONNRESET`, `ENOTFOUND`, or `timeout`. */
  readonly reason: string;

  /** Whether the connection broke before anything of the answer had come: the server may have died of the request. */
  readonly brokeAtOnce: boolean;

  constructor(
    url: string,
    reason: string,
    hint = 'Is the server running, and is this its URL?',
    brokeAtOnce = false,
  ) {
    super(`No answer from ${url} (${reason}). ${hint}`);
    this.url = url;
    this.reason = reason;
    this.brokeAtOnce = brokeAtOnce;
  }
}

/** The server answers, but not for the experiment's base model. */
export class ModelNotServed extends ColloquyError {
  override name = 'ModelNotServed' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  readonly model: string;
  readonly served: readonly string[];

  constructor(url: string, model: string, served: readonly string[]) {
    const shown = served.slice(0, 10).join(', ') + (served.length > 10 ? ', …' : '');
    super(
      served.length === 0
        ? `${url} lists no models and knows no ${model}. If that is the server that you mean, have it serve the model; otherwise correct the URL: another program may answer there.`
        : `${url} does not serve ${model}. It serves: ${shown}. Set model.model_name_or_path to one of these, or have the server serve it.`,
    );
    this.model = model;
    this.served = served;
  }
}

/** An answer came from other weights than those that the model's name stands for. */
export class OtherWeights extends ColloquyError {
  override name = 'OtherWeights' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly model: string;

  constructor(url: string, model: string) {
    super(
      `${url} answered as ${model} with other weights than the experiment's. ` +
        `Another model was loaded under this name, or its files changed; the answer is not used.`,
    );
    this.model = model;
  }
}

/** A measure wants to know how likely a model finds a given text, where only sampled answers come. */
export class PromptLogprobsUnsupported extends ColloquyError {
  override name = 'PromptLogprobsUnsupported' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly url: string;

  constructor(url: string) {
    super(
      `${url} does not tell how likely the tokens of a prompt are (prompt_logprobs), so the likelihood of others' answers and ` +
        `the divergence of models cannot be measured there. Use an endpoint of kind local or vllm for them.`,
    );
    this.url = url;
  }
}

/** The base model's template, tokenizer or modules do not allow the fine-tunes that an experiment wants. */
export class TrainingImpossible extends ColloquyError {
  override name = 'TrainingImpossible' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(words: string) {
    super(`The base model cannot be fine-tuned like this: ${words}`);
  }
}
