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

/** Agent n of N. `Model` is whatever names a model to the caller; the algorithm only passes it on. */
export type Agent<Model> = {
  /** 1..N */
  readonly number: number;
  /** By the name of the role that each plays (section 2.3 of the paper: a generation and a critic model). */
  readonly models: Readonly<Record<string, Model>>;
};

/** The N agents before the first fine-tune: all their models are the same base model. */
export function baseAgents<Model>(
  count: number,
  roles: readonly Pick<Role, 'name'>[],
  base: Model,
): Agent<Model>[] {
  const models = Object.fromEntries(roles.map(({ name }) => [name, base]));
  return Array.from({ length: count }, (_, index) => ({ number: index + 1, models }));
}

/** @throws RangeError when the agent has no model of that role */
export function modelOf<Model>({ number, models }: Agent<Model>, role: string): Model {
  const model = models[role];
  if (model === undefined) throw new RangeError(`Agent ${number} has no ${role} model.`);
  return model;
}
