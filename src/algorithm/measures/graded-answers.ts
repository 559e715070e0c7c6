/**
 * The answers to one question as the measures of debates see them: numbers in place of texts. `Outcome` has both. By agent, then by
 * round; a debate that was stopped early has fewer rounds.
 */
export type GradedAnswers = {
  /** Whether the answer is right. */
  readonly right: readonly (readonly boolean[])[];
  /** Equal answers, whoever gave them and in whichever round, have the same number; what could not be parsed has null. */
  readonly classes: readonly (readonly (number | null)[])[];
};

/** How many rounds the debate had. */
export function roundsOf({ classes }: GradedAnswers): number {
  return classes[0]?.length ?? 0;
}

/** The answers' classes in a round (1 the first), by agent. */
export function classesInRound({ classes }: GradedAnswers, round: number): (number | null)[] {
  return classes.map((byRound) => byRound[round - 1] ?? null);
}

/** How many agents gave each class of answers: the sizes by class, unparsable answers left out. */
export function votesByClass(classes: readonly (number | null)[]): Map<number, number> {
  const votes = new Map<number, number>();
  for (const each of classes) if (each !== null) votes.set(each, (votes.get(each) ?? 0) + 1);
  return votes;
}
