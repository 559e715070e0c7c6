/** What does a method cost, in tokens and in time, and how did its debates and responses end: early, or cut off? */

/** What some work used. */
export type Used = {
  /** Prompt tokens: the whole prompt of each request, also if a server had it in a cache. */
  readonly tokensIn: number;
  /** Sampled tokens. */
  readonly tokensOut: number;
  /** Tokens that the trainer read, counted again in every epoch. */
  readonly tokensTrained: number;
  /**
   * The time of the phases that use the device. With one GPU these are GPU-seconds; with several GPUs multiply by their number. Waiting
   * within a phase counts.
   */
  readonly deviceSeconds: number;
};

/**
 * The cost of a method, by one rule for all: what its training took, and what one answer takes at the end. Work that experiments of a study
 * share is charged to each of them, as each would need it if it ran alone. Evaluations that only draw the curve are no cost, that of the base
 * model among them, and neither is the measuring of diversity or of a majority beside the debate.
 */
export type Cost = {
  /** The debates about training questions and the fine-tunes, of all iterations. */
  readonly training: Used;
  /** One question, answered in the method's way by the agents of the last iteration. */
  readonly answer: Used;
  /** All tokens of the training and of answering each held-out question once: what an accuracy has been bought for. */
  readonly tokens: number;
};

/**
 * @param training by iteration
 * @param answering the held-out questions after the last iteration
 * @param questions how many these are
 */
export function cost(training: readonly Used[], answering: Used, questions: number): Cost {
  const trained = training.reduce(plus, noWork);
  return {
    training: trained,
    answer: times(answering, 1 / questions),
    tokens: tokensOf(trained) + tokensOf(answering),
  };
}

export function tokensOf({ tokensIn, tokensOut, tokensTrained }: Used): number {
  return tokensIn + tokensOut + tokensTrained;
}

export const noWork: Used = { tokensIn: 0, tokensOut: 0, tokensTrained: 0, deviceSeconds: 0 };

export function plus(a: Used, b: Used): Used {
  return {
    tokensIn: a.tokensIn + b.tokensIn,
    tokensOut: a.tokensOut + b.tokensOut,
    tokensTrained: a.tokensTrained + b.tokensTrained,
    deviceSeconds: a.deviceSeconds + b.deviceSeconds,
  };
}

/** A multiple or a part, e.g. the share of one of several answers. */
export function times(used: Used, factor: number): Used {
  return {
    tokensIn: used.tokensIn * factor,
    tokensOut: used.tokensOut * factor,
    tokensTrained: used.tokensTrained * factor,
    deviceSeconds: used.deviceSeconds * factor,
  };
}

/**
 * Percentage points of accuracy gained over the base model for each million tokens; negative for a loss. Null when no tokens were used.
 *
 * @param accuracy 0..1, like `base`
 * @param tokens `Cost.tokens` of the method
 */
export function pointsPerMillionTokens(accuracy: number, base: number, tokens: number): number | null {
  return tokens === 0 ? null : (100 * (accuracy - base)) / (tokens / 1_000_000);
}

/**
 * The number of first answers whose majority costs the same as the debate, in tokens read and written. A debate is worth its tokens only
 * if it beats this majority (self-consistency at equal tokens). It is at least N, the number of agents in the debate.
 *
 * @param agents N
 * @param tokens the tokens of all debates, and `firstRound`: the part of them in round 1, which has N answers to each question
 * @returns null when no tokens were counted (the server does not count them, or the debates were taken over from another store), and when
 *   the number would be above `mostVotes`: a wrong count by a server must not make an evaluation expensive
 */
export function votesAtEqualTokens(
  agents: number,
  tokens: { readonly prompt: number; readonly completion: number; readonly firstRound: number },
): number | null {
  if (tokens.firstRound === 0) return null;
  const perAnswer = tokens.firstRound / agents;
  const votes = Math.max(agents, Math.round((tokens.prompt + tokens.completion) / perAnswer));
  return votes > mostVotes ? null : votes;
}

/** Debates of which those end after round 1 on which all agents agree (`stop_when_unanimous`). Tokens are read and written ones. */
export type EarlyStop = {
  readonly debates: number;
  /** How many ended after round 1, and their tokens. */
  readonly stopped: number;
  readonly stoppedTokens: number;
  /** Of those that went on: their tokens of round 1, and of the rounds after it. */
  readonly firstRoundTokens: number;
  readonly laterTokens: number;
};

export const noEarlyStop: EarlyStop = {
  debates: 0,
  stopped: 0,
  stoppedTokens: 0,
  firstRoundTokens: 0,
  laterTokens: 0,
};

export function addEarlyStop(a: EarlyStop, b: EarlyStop): EarlyStop {
  return {
    debates: a.debates + b.debates,
    stopped: a.stopped + b.stopped,
    stoppedTokens: a.stoppedTokens + b.stoppedTokens,
    firstRoundTokens: a.firstRoundTokens + b.firstRoundTokens,
    laterTokens: a.laterTokens + b.laterTokens,
  };
}

/**
 * An estimate of the tokens that the early stops saved: the rounds after the first would have cost each stopped debate as many times its first
 * round as they cost the debates that went on. Their first round stands for the length of the question and of its answers. It is too high
 * where agents repeat an answer on which all agree in fewer words than they argue.
 *
 * @returns null where debates were stopped and none with tokens went on
 */
export function tokensSaved({
  stopped,
  stoppedTokens,
  firstRoundTokens,
  laterTokens,
}: EarlyStop): number | null {
  if (stopped === 0) return 0;
  return firstRoundTokens === 0 ? null : (stoppedTokens * laterTokens) / firstRoundTokens;
}

/**
 * The greatest result of `votesAtEqualTokens`. A debate of 3 agents in 2 rounds costs about 15 answers, one of 10 agents in 5 rounds a few
 * hundred.
 */
export const mostVotes = 500;

/**
 * Why the models stopped, in the server's words: `stop` (the model ended its response), `length` (it was cut off at `max_tokens`), or another
 * word. `unknown` when the server gave none. Both lists are empty in debates that were written before finish reasons were kept.
 */
export type FinishReasons = {
  /** By agent, then by round. */
  readonly responses: readonly (readonly string[])[];
  /** Of the summaries of the others' responses: by agent, then by round, from round 2. An agent that got no summary has an empty list. */
  readonly summaries: readonly (readonly string[])[];
};

/** The words of OpenAI, vLLM, Mistral, DeepSeek and other servers for a response that the model did not end itself. */
const cutOffReasons: ReadonlySet<string> = new Set([
  'length',
  'max_tokens',
  'model_length',
  'content_filter',
  'insufficient_system_resource',
  'abort',
  'error',
]);

/** Whether a response was cut off, so that its last token is not the end that the model gave it. */
export function isCutOff(finishReason: string): boolean {
  return cutOffReasons.has(finishReason);
}

/** How many of some responses were cut off. Responses with an unknown finish reason do not count. */
export type CutOffCount = {
  readonly cut: number;
  readonly of: number;
  /** cut / of, 0..1; null when `of` is 0. */
  readonly share: number | null;
};

/** How many of the agents' responses, of all rounds, and how many of the summaries were cut off. */
export type CutOff = { readonly responses: CutOffCount; readonly summaries: CutOffCount };

export const noneCutOff: CutOff = {
  responses: { cut: 0, of: 0, share: null },
  summaries: { cut: 0, of: 0, share: null },
};

/** Counts over one debate. */
export function countCutOff({ responses, summaries }: FinishReasons): CutOff {
  return { responses: countOf(responses.flat()), summaries: countOf(summaries.flat()) };
}

function countOf(finishReasons: readonly string[]): CutOffCount {
  const known = finishReasons.filter((each) => each !== 'unknown');
  return withShare(known.filter(isCutOff).length, known.length);
}

/** The counts of two sets of debates together. */
export function addCutOff(a: CutOff, b: CutOff): CutOff {
  const add = (x: CutOffCount, y: CutOffCount) => withShare(x.cut + y.cut, x.of + y.of);
  return { responses: add(a.responses, b.responses), summaries: add(a.summaries, b.summaries) };
}

function withShare(cut: number, of: number): CutOffCount {
  return { cut, of, share: of === 0 ? null : cut / of };
}
