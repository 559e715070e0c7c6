/** Nobody said which iteration, and which is the last one is not known before the experiment has finished. */
export class ExperimentNotFinished extends Error {
  override name = 'ExperimentNotFinished' as const;
  /** The iterations that are done, in their order. */
  readonly finished: readonly number[];

  constructor(experiment: string, finished: readonly number[]) {
    const newest = finished.at(-1);
    super(
      `${experiment} has not finished, so its last iteration is not known yet. ` +
        (newest === undefined
          ? 'None of its iterations is done.'
          : `--iteration ${newest} takes the newest one that is done.`),
    );
    this.finished = finished;
  }
}
