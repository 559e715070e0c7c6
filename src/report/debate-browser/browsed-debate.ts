import type { Debate } from '../../algorithm/debate.ts';
import type { Judged, Outcome } from '../../algorithm/evaluation.ts';
import { type Verdict, verdictOf } from '../verdict.ts';

/** A held-out debate as the browser shows it: all that was said, each answer with its verdict. */
export type BrowsedDebate = {
  readonly question: string;
  readonly gold: string;
  /** By round, then by agent. */
  readonly rounds: readonly (readonly Turn[])[];
  /** The vote over round 1. */
  readonly first: Vote;
  /** The vote over the last round. */
  readonly last: Vote;
};
export type Turn = {
  /** What the agent was shown of the others before it spoke: their responses, or a summary of them. Null in round 1. */
  readonly shown: { readonly text: string; readonly summary: boolean } | null;
  readonly response: string;
  readonly answer: string | null;
  readonly verdict: Verdict;
};
export type Vote = Judged & { readonly votes: number; readonly tied: number };

/** @param summarize whether agents were shown summaries */
export function browsedDebate(debate: Debate, outcome: Outcome, summarize: boolean): BrowsedDebate {
  const rounds = Math.max(0, ...debate.answers.map((byRound) => byRound.length));
  return {
    question: debate.question.text,
    gold: outcome.gold,
    rounds: Array.from({ length: rounds }, (_, index) =>
      debate.dialogues.map((_, agent) => turnOf(debate, outcome, agent, index + 1, summarize)),
    ),
    first: { ...outcome.majority, votes: debate.majority.votes, tied: debate.majority.tied },
    last: { ...outcome.debate, votes: debate.consensus.votes, tied: debate.consensus.tied },
  };
}

function turnOf(debate: Debate, outcome: Outcome, agent: number, round: number, summarize: boolean): Turn {
  const dialogue = debate.dialogues[agent] ?? [];
  const shown = round === 1 ? undefined : dialogue[2 * round - 2];
  return {
    // An agent that is alone has nobody to be summarised.
    shown:
      shown === undefined ? null : { text: shown.content, summary: summarize && debate.dialogues.length > 1 },
    response: dialogue[2 * round - 1]?.content ?? '',
    answer: debate.answers[agent]?.[round - 1] ?? null,
    verdict: verdictOf(debate, outcome, agent, round),
  };
}
