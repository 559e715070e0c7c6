/** An experiment has not been evaluated after the iteration that is asked for. */
export class NoEvaluation extends Error {
  override name = 'NoEvaluation' as const;

  constructor(experiment: string, iteration: number, evaluated: readonly number[]) {
    super(
      `${experiment} has no evaluation of iteration ${iteration}. There are: ${evaluated.join(', ')} (0 is the base model).`,
    );
  }
}
