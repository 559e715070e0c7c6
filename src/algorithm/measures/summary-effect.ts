import { flips } from './flips.ts';
import { type PairedTest, pairedTest } from './paired-test.ts';
import { type Ratio, ratioOverQuestions } from './ratio.ts';

/** A held-out debate, as far as this measure needs it; an `Outcome` is one. */
type Judged = {
  readonly questionId: string;
  readonly right: readonly (readonly boolean[])[];
  readonly debate: { readonly correct: boolean };
};

/** What summaries did. Ratios are of answers given after a summary was shown. */
export type SummaryEffect = {
  /** Wrong before, right after. */
  readonly helped: Ratio | null;
  /** Right before, wrong after. */
  readonly harmed: Ratio | null;
  /** Helped less harmed: -1..1. */
  readonly net: Ratio | null;
  /** The consensus with summaries against the one without, on the questions that both have. */
  readonly versusWithout: PairedTest & {
    readonly questions: number;
    /** Of the accuracies, with less without: -1..1. */
    readonly difference: number;
  };
};

/**
 * What the summaries of debates did to the answers. Each agent is shown one before each answer from round 2 on, so every such answer
 * counts, whatever the round. That an answer changed after a summary does not say that it changed because of it: the same debates without
 * summaries tell, paired by question id (McNemar's exact test). A definition of ours: the paper compares final accuracies only (its Table 2).
 */
export function summaryEffect(withSummaries: readonly Judged[], without: readonly Judged[]): SummaryEffect {
  const [helped, harmed, net] = [ratioOverQuestions(), ratioOverQuestions(), ratioOverQuestions()];
  for (const { right } of withSummaries) {
    const rounds = right[0]?.length ?? 0;
    let [better, worse] = [0, 0];
    for (let round = 2; round <= rounds; round++) {
      const { wrongToRight, rightToWrong } = flips(right, round);
      better += wrongToRight;
      worse += rightToWrong;
    }
    const shown = right.length * Math.max(0, rounds - 1);
    helped.add(better, shown);
    harmed.add(worse, shown);
    net.add(better - worse, shown);
  }
  return {
    helped: helped.result(),
    harmed: harmed.result(),
    net: net.result(),
    versusWithout: compared(withSummaries, without),
  };
}

function compared(
  withSummaries: readonly Judged[],
  without: readonly Judged[],
): SummaryEffect['versusWithout'] {
  const other = new Map(without.map(({ questionId, debate }) => [questionId, debate.correct]));
  const paired = withSummaries.flatMap(({ questionId, debate }) => {
    const correct = other.get(questionId);
    return correct === undefined ? [] : [{ own: debate.correct, other: correct }];
  });
  const test = pairedTest(
    paired.map(({ own }) => own),
    paired.map((each) => each.other),
  );
  const difference = paired.length === 0 ? 0 : (test.wins - test.losses) / paired.length;
  return { ...test, questions: paired.length, difference };
}
