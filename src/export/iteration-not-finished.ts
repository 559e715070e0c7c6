/** The iteration that is asked for is not done: it is under way, or the experiment has no such iteration. */
export class IterationNotFinished extends Error {
  override name = 'IterationNotFinished' as const;
  readonly iteration: number;
  /** The iterations that are done, in their order. */
  readonly finished: readonly number[];

  constructor(experiment: string, iteration: number, finished: readonly number[]) {
    super(
      `${experiment} has no finished iteration ${iteration}. ` +
        (finished.length === 0 ? 'None is finished.' : `Finished: ${finished.join(', ')}.`),
    );
    this.iteration = iteration;
    this.finished = finished;
  }
}
