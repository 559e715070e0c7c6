import type { Divergence } from './kl-divergence.ts';
import { type Ratio, ratioOverQuestions } from './ratio.ts';

/** How diverse the agents' first responses to one question are. Null where it could not be measured. */
export type QuestionDiversity = {
  readonly questionId: string;
  /** Nats a token. */
  readonly nllOfOthers: number | null;
  readonly betweenAgents: Divergence | null;
  readonly fromBase: Divergence | null;
  readonly dissimilarity: number | null;
  readonly distinctAnswers: number;
};

/** Means over questions, each with its standard error and the number of questions (`of`). Null where no question was measured. */
export type Diversity = {
  readonly nllOfOthers: Ratio | null;
  readonly betweenAgents: MeanDivergence;
  readonly fromBase: MeanDivergence;
  readonly dissimilarity: Ratio | null;
  readonly distinctAnswers: Ratio | null;
};
type MeanDivergence = { readonly perToken: Ratio | null; readonly perResponse: Ratio | null };

/** The diversity of an iteration's agents (section 4 of the paper), from that of each question: every question counts the same. */
export function diversityOver(questions: readonly QuestionDiversity[]): Diversity {
  const mean = (value: (question: QuestionDiversity) => number | null): Ratio | null => {
    const sums = ratioOverQuestions();
    for (const question of questions) {
      const measured = value(question);
      if (measured !== null) sums.add(measured, 1);
    }
    return sums.result();
  };
  const meanDivergence = (of: (question: QuestionDiversity) => Divergence | null): MeanDivergence => ({
    perToken: mean((question) => of(question)?.perToken ?? null),
    perResponse: mean((question) => of(question)?.perResponse ?? null),
  });
  return {
    nllOfOthers: mean(({ nllOfOthers }) => nllOfOthers),
    betweenAgents: meanDivergence(({ betweenAgents }) => betweenAgents),
    fromBase: meanDivergence(({ fromBase }) => fromBase),
    dissimilarity: mean(({ dissimilarity }) => dissimilarity),
    distinctAnswers: mean(({ distinctAnswers }) => distinctAnswers),
  };
}
