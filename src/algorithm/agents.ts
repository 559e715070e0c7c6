/** Who takes part in a debate, and which model of an agent answers in a round? */

/** What a model of an agent does in a debate. Roles are data: a method has a list of them. */
export type Role = {
  /** Datasets, models and steps have this name in theirs. */
  readonly name: string;
  /** Whether its model answers in a round, 1..M. When several roles would answer, the first one in the method's list does. */
  readonly answers: (round: number, rounds: number) => boolean;
};

/** Gives the first answers (section 2.3 of the paper). */
export const generation: Role = { name: 'generation', answers: (round) => round === 1 };

/** Revises the answers, in every round after the first. */
export const critic: Role = { name: 'critic', answers: (round) => round > 1 };

/** Answers in every round: the ablation without critics. */
export const generationThroughout: Role = { name: 'generation', answers: () => true };

/** The name of the one model that a group is distilled into, where agents' models have the names of roles. */
export const distilledModel = 'distilled';

/** The role whose model answers in a round. @throws RangeError when none does */
export function roleOf(roles: readonly Role[], round: number, rounds: number): Role {
  const role = roles.find(({ answers }) => answers(round, rounds));
  if (role === undefined) {
    const names = roles.map(({ name }) => name).join(', ');
    throw new RangeError(`None of the roles ${names} answers in round ${round} of ${rounds}.`);
  }
  return role;
}

/** One of N agents. `Model` is the caller's type for a model; the algorithm only passes models on. */
export type Agent<Model> = {
  /** 1..N */
  readonly number: number;
  /** The models by the name of their role (section 2.3 of the paper: a generation and a critic model). */
  readonly models: Readonly<Record<string, Model>>;
};

/**
 * The N agents before the first fine-tune: all models of an agent are its base model.
 *
 * @param bases by agent; in the paper all are the same
 */
export function baseAgents<Model>(
  bases: readonly Model[],
  roles: readonly Pick<Role, 'name'>[],
): Agent<Model>[] {
  return bases.map((base, index) => ({
    number: index + 1,
    models: Object.fromEntries(roles.map(({ name }) => [name, base])),
  }));
}

/** The agent's model of a role. @throws RangeError when it has none */
export function modelOf<Model>({ number, models }: Agent<Model>, role: string): Model {
  const model = models[role];
  if (model === undefined) throw new RangeError(`Agent ${number} has no ${role} model.`);
  return model;
}
