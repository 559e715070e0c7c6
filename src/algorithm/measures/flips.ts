/** How do answers change from one round to the next, and why? */
import {
  classesInRound,
  type GradedAnswers,
  type Ratio,
  ratioOverQuestions,
  votesByClass,
} from './answers.ts';

/** How answers changed from one round to the next. Counts of answers. */
export type Flips = {
  readonly rightToRight: number;
  readonly rightToWrong: number;
  readonly wrongToRight: number;
  readonly wrongToWrong: number;
};

/**
 * The flips between a round and the round before. An answer that could not be parsed is wrong.
 *
 * @param right whether the answers are right, by agent, then by round
 * @param round the later of the two, 2..M
 */
export function flips(right: readonly (readonly boolean[])[], round: number): Flips {
  const count = (before: boolean, after: boolean): number =>
    right.filter((byRound) => byRound[round - 2] === before && byRound[round - 1] === after).length;
  return {
    rightToRight: count(true, true),
    rightToWrong: count(true, false),
    wrongToRight: count(false, true),
    wrongToWrong: count(false, false),
  };
}

/** How answers against the others' majority changed in the next round. Counts of answers. */
export type Conformity = {
  readonly dissenting: number;
  /** Those that changed to the answer of the others' majority. */
  readonly conformed: number;
  /** Those of the conformed that changed from right to wrong, and from wrong to right. */
  readonly rightToWrong: number;
  readonly wrongToRight: number;
};

/**
 * How many agents changed to the majority in a round. An agent dissents when its answer of the round before could be parsed, the other
 * agents' answers of that round have one largest class (a tie is no majority; an answer that could not be parsed has no class), and its own
 * answer is not in that class. It conforms when its answer of this round is in that class. All other agents count, also those whose
 * responses it did not see because of `max_others`.
 *
 * @param round the later of the two, 2..M
 */
export function conformity(answers: GradedAnswers, round: number): Conformity {
  const before = classesInRound(answers, round - 1);
  const after = classesInRound(answers, round);
  const dissenters = before.flatMap((own, agent) => {
    const majority = soleLeader(before.toSpliced(agent, 1));
    return own === null || majority === null || own === majority ? [] : [{ agent, majority }];
  });
  const conformers = dissenters.filter(({ agent, majority }) => after[agent] === majority);
  const became = (was: boolean, is: boolean): number =>
    conformers.filter(
      ({ agent }) => answers.right[agent]?.[round - 2] === was && answers.right[agent][round - 1] === is,
    ).length;
  return {
    dissenting: dissenters.length,
    conformed: conformers.length,
    rightToWrong: became(true, false),
    wrongToRight: became(false, true),
  };
}

/** The largest class of answers; null when there is none, or several. */
function soleLeader(classes: readonly (number | null)[]): number | null {
  const [first, second] = [...votesByClass(classes)].toSorted(([, a], [, b]) => b - a);
  if (first === undefined || first[1] === second?.[1]) return null;
  return first[0];
}

/** How answers changed after a summary. A share is null when no summary was shown. */
export type SummaryEffect = {
  /** The share that was wrong before and right after. */
  readonly helped: Ratio | null;
  /** The share that was right before and wrong after. */
  readonly harmed: Ratio | null;
  /** `helped` minus `harmed`: -1..1. */
  readonly net: Ratio | null;
};

/**
 * How answers changed after the summaries of debates, which are added one after another. Each agent sees a summary
 * before each answer from round 2 on, so every such answer counts. A change after a summary need not be a change because of it: only the
 * same debates without summaries can show that. This measure is our own: the paper compares final accuracies (its Table 2).
 */
export function summaryEffect() {
  const [helped, harmed, net] = [ratioOverQuestions(), ratioOverQuestions(), ratioOverQuestions()];
  return {
    add(question: string, answers: Pick<GradedAnswers, 'right'>): void {
      const rounds = answers.right[0]?.length ?? 0;
      let [better, worse] = [0, 0];
      for (let round = 2; round <= rounds; round++) {
        const { wrongToRight, rightToWrong } = flips(answers.right, round);
        better += wrongToRight;
        worse += rightToWrong;
      }
      const shown = answers.right.length * Math.max(0, rounds - 1);
      helped.add(question, better, shown);
      harmed.add(question, worse, shown);
      net.add(question, better - worse, shown);
    },
    result: (): SummaryEffect => ({
      helped: helped.result(),
      harmed: harmed.result(),
      net: net.result(),
    }),
  };
}
