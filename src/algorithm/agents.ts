import type { Role } from './roles.ts';

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
