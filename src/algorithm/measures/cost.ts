/** What does a method cost, in tokens and in time? */

/** Tokens of chats. */
export type ChatTokens = { readonly prompt: number; readonly completion: number };

/** The tokens and the time that an experiment used, from its result. */
export type ResourcesUsed = {
  readonly tokens: {
    /** Tokens of the debates about training questions. */
    readonly debate: ChatTokens;
    /** Tokens of the debates about held-out questions. */
    readonly evaluation: ChatTokens;
    /** Tokens that the trainer read, counted again in every epoch. */
    readonly fineTune: number;
  };
  /** Wall time of each phase, by the workflow's clock. */
  readonly seconds: {
    readonly debate: number;
    readonly evaluation: number;
    readonly fineTune: number;
    readonly total: number;
  };
};

export type Cost = {
  /** Prompt tokens of training and held-out debates: the whole prompt of each request, also if a server had it in a cache. */
  readonly tokensIn: number;
  /** Sampled tokens of training and held-out debates. */
  readonly tokensOut: number;
  readonly tokensTrained: number;
  /** The sum of the three. `pointsPerMillionTokens` divides by it. */
  readonly tokens: number;
  /**
   * The time of the phases that use the device: debates, evaluations and fine-tunes. With one GPU these are GPU-seconds; with several GPUs
   * multiply by their number. Waiting within a phase counts.
   */
  readonly deviceSeconds: number;
  /** From the first step to the last, with pauses. */
  readonly wallSeconds: number;
};

/**
 * The cost of a method. Held-out debates count too: they are the whole cost of a method that trains nothing, and for other methods they
 * show what each later answer costs. Measuring diversity is not part of a method and does not count.
 */
export function cost({ tokens, seconds }: ResourcesUsed): Cost {
  const tokensIn = tokens.debate.prompt + tokens.evaluation.prompt;
  const tokensOut = tokens.debate.completion + tokens.evaluation.completion;
  return {
    tokensIn,
    tokensOut,
    tokensTrained: tokens.fineTune,
    tokens: tokensIn + tokensOut + tokens.fineTune,
    deviceSeconds: seconds.debate + seconds.evaluation + seconds.fineTune,
    wallSeconds: seconds.total,
  };
}

/**
 * Percentage points of accuracy gained over the base model for each million tokens; negative for a loss. Null when no tokens were used.
 *
 * @param accuracy 0..1, like `base`
 * @param tokens `Cost.tokens` of the method. It includes the evaluation of the base model only if the method needed it.
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

/**
 * The greatest result of `votesAtEqualTokens`. A debate of 3 agents in 2 rounds costs about 15 answers, one of 10 agents in 5 rounds a few
 * hundred.
 */
export const mostVotes = 500;
