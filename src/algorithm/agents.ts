/** The two models of an agent: one gives first answers, one revises them (section 2.3 of the paper). */
export const roles = ['generation', 'critic'] as const;
export type Role = (typeof roles)[number];

/** Agent n of N. `Model` is whatever names a model to the caller; the algorithm only passes it on. */
export type Agent<Model> = {
  /** 1..N */
  readonly number: number;
  readonly generation: Model;
  readonly critic: Model;
};

/** The N agents before the first fine-tune: all 2N models are the same base model. */
export function baseAgents<Model>(count: number, base: Model): Agent<Model>[] {
  return Array.from({ length: count }, (_, index) => ({ number: index + 1, generation: base, critic: base }));
}
