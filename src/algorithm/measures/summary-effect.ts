import { flips } from './flips.ts';
import type { GradedAnswers } from './graded-answers.ts';
import { type Ratio, ratioOverQuestions } from './ratio.ts';

/** What became of the answers that were given after a summary was shown. Null where none was. */
export type SummaryEffect = {
  /** Wrong before, right after. */
  readonly helped: Ratio | null;
  /** Right before, wrong after. */
  readonly harmed: Ratio | null;
  /** Helped less harmed: -1..1. */
  readonly net: Ratio | null;
};

/**
 * What happened to answers after the summaries of a debate. Each agent is shown one before each answer from round 2 on, so every such answer
 * counts, whatever the round. That an answer changed after a summary does not say that it changed because of it: only the same debates without
 * summaries tell. A definition of ours: the paper compares final accuracies (its Table 2). Takes debates one after another, and holds sums only.
 */
export function summaryEffect() {
  const [helped, harmed, net] = [ratioOverQuestions(), ratioOverQuestions(), ratioOverQuestions()];
  return {
    add(answers: Pick<GradedAnswers, 'right'>): void {
      const rounds = answers.right[0]?.length ?? 0;
      let [better, worse] = [0, 0];
      for (let round = 2; round <= rounds; round++) {
        const { wrongToRight, rightToWrong } = flips(answers.right, round);
        better += wrongToRight;
        worse += rightToWrong;
      }
      const shown = answers.right.length * Math.max(0, rounds - 1);
      helped.add(better, shown);
      harmed.add(worse, shown);
      net.add(better - worse, shown);
    },
    result: (): SummaryEffect => ({
      helped: helped.result(),
      harmed: harmed.result(),
      net: net.result(),
    }),
  };
}
