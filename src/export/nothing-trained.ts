/** Nothing was trained, so there is neither a dataset nor a model. */
export class NothingTrained extends Error {
  override name = 'NothingTrained' as const;

  /** @param why e.g. `iteration 0 is the base model` */
  constructor(experiment: string, why: string) {
    super(`${experiment} has nothing to export: ${why}.`);
  }
}
