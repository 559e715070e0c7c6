/** What one model of an agent does in a debate. Roles are data: a method lists those that it has. */
export type Role = {
  /** As datasets, models and steps are named after it. */
  readonly name: string;
  /** In which of the M rounds, 1 the first, its model answers. Where several would, the first of the method's list does. */
  readonly answers: (round: number, rounds: number) => boolean;
};

/** Gives first answers (section 2.3 of the paper). */
export const generation: Role = { name: 'generation', answers: (round) => round === 1 };

/** Revises them, in every further round. */
export const critic: Role = { name: 'critic', answers: (round) => round > 1 };

/** Answers in every round: the ablation without critics. */
export const generationThroughout: Role = { name: 'generation', answers: () => true };

/** The role whose model answers in a round. @throws RangeError when none does */
export function roleOf(roles: readonly Role[], round: number, rounds: number): Role {
  const role = roles.find(({ answers }) => answers(round, rounds));
  if (role === undefined) {
    const names = roles.map(({ name }) => name).join(', ');
    throw new RangeError(`None of the roles ${names} answers in round ${round} of ${rounds}.`);
  }
  return role;
}
