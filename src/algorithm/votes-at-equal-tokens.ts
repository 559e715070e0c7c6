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
