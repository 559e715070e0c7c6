import { classesInRound, type GradedAnswers, votesByClass } from './answers.ts';
import { type Ratio, ratioOverQuestions } from './tests.ts';

/** What became of answers from one round to the next. Counts of answers. */
export type Flips = {
  readonly rightToRight: number;
  readonly rightToWrong: number;
  readonly wrongToRight: number;
  readonly wrongToWrong: number;
};

/**
 * The flips between a round and the one before it: each agent's answer is right or wrong in either. No answer is a wrong one.
 *
 * @param right by agent, then by round
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

/** Of answers that stood against the others' majority: what became of them in the next round. Counts of answers. */
export type Conformity = {
  readonly dissenting: number;
  /** Those that changed to what the others' majority had said. */
  readonly conformed: number;
  /** Of these: a right answer was given up for a wrong one, and the other way round. */
  readonly rightToWrong: number;
  readonly wrongToRight: number;
};

/**
 * How agents yielded in a round. An agent dissents when its answer of the round before could be parsed, the other agents'
 * answers of that round have one largest class (a tie is no majority; what could not be parsed has no class), and its own is
 * not in it. It conforms when its answer of this round is in that class. All other agents count, also those whose responses
 * `max_others` kept from it.
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

function soleLeader(classes: readonly (number | null)[]): number | null {
  const [first, second] = [...votesByClass(classes)].toSorted(([, a], [, b]) => b - a);
  if (first === undefined || first[1] === second?.[1]) return null;
  return first[0];
}

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
