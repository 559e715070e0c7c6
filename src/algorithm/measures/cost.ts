/** Tokens of chats. */
export type ChatTokens = { readonly prompt: number; readonly completion: number };

/** What an experiment used, as its result has it. */
export type ResourcesUsed = {
  readonly tokens: {
    /** Of the training questions' debates. */
    readonly debate: ChatTokens;
    /** Of the held-out questions' debates. */
    readonly evaluation: ChatTokens;
    /** That the trainer went over, every epoch anew. */
    readonly fineTune: number;
  };
  /** Wall time of each phase, as the workflow's clock saw it. */
  readonly seconds: {
    readonly debate: number;
    readonly evaluation: number;
    readonly fineTune: number;
    readonly total: number;
  };
};

export type Cost = {
  /** Prompt tokens, of training and held-out debates: each request's whole prompt, whether a server had it cached or not. */
  readonly tokensIn: number;
  /** Sampled tokens, of both. */
  readonly tokensOut: number;
  readonly tokensTrained: number;
  /** All three: what `pointsPerMillionTokens` divides by. */
  readonly tokens: number;
  /**
   * The phases that keep the device busy: debates, evaluations, fine-tunes. On one GPU these are GPU-seconds, on several they are to be
   * multiplied. Waiting within a phase counts.
   */
  readonly deviceSeconds: number;
  /** From the first step to the last, pauses and all. */
  readonly wallSeconds: number;
};

/**
 * What a method cost. Held-out debates count too: for a method that trains nothing they are all its cost, and for the others they are
 * what each later answer costs. Measuring diversity is not part of any method, and does not count.
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
 * @param accuracy 0..1, as `base`
 * @param tokens `Cost.tokens` of the method, without those of the base model's own evaluation unless the method needed it
 */
export function pointsPerMillionTokens(accuracy: number, base: number, tokens: number): number | null {
  return tokens === 0 ? null : (100 * (accuracy - base)) / (tokens / 1_000_000);
}

/**
 * Of how many first answers a majority costs what the debate costs, in tokens read and written: self-consistency at equal tokens,
 * which a debate has to beat to be worth its price. At least the N of the debate itself.
 *
 * @param agents N
 * @param tokens of all debates, and of those the tokens of round 1, which has N answers to each question
 * @returns null when no tokens were counted (the server does not count them, or the debates were taken over from elsewhere), and when it
 *   would be more than `mostVotes`: how many answers are paid for must not depend on what a server says that it counted
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

/** A debate of 3 agents in 2 rounds costs what some 15 answers do; one of 10 agents in 5 rounds, by honest counting, a few hundred. */
export const mostVotes = 500;
