import { classesInRound, type GradedAnswers, votesByClass } from './graded-answers.ts';

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
