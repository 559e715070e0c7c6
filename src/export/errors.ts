import { ColloquyError, exitCodes } from '../errors.ts';

/** The store has no experiment of this name. */
export class ExperimentNotInStore extends ColloquyError {
  override name = 'ExperimentNotInStore' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Where it would be: absolute. */
  readonly folder: string;

  constructor(folder: string) {
    super(
      `There is no config.json in ${folder}: the experiment has another name, or is in another store (COLLOQUY_STORE).`,
    );
    this.folder = folder;
  }
}

/** No iteration was named, and the last one is not known before the experiment has finished. */
export class ExperimentNotFinished extends ColloquyError {
  override name = 'ExperimentNotFinished' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** The finished iterations, ascending. */
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

/** The named iteration has not finished, or the experiment has no such iteration. */
export class IterationNotFinished extends ColloquyError {
  override name = 'IterationNotFinished' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly iteration: number;
  /** The finished iterations, ascending. */
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

/** Nothing was trained, so there is neither a dataset nor a model. */
export class NothingTrained extends ColloquyError {
  override name = 'NothingTrained' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  /** @param why e.g. `iteration 0 is the base model` */
  constructor(experiment: string, why: string) {
    super(`${experiment} has nothing to export: ${why}.`);
  }
}

/** There is no one model of the group. */
export class NotDistilled extends ColloquyError {
  override name = 'NotDistilled' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  /** @param asked whether its config has `distill` */
  constructor(experiment: string, iteration: number, asked: boolean) {
    super(
      `${experiment} was not distilled into one model after iteration ${iteration}: ` +
        (asked
          ? 'only the last iteration of a finished experiment is, and its debates may give nothing to learn from. The report says which.'
          : 'its config has no distill. Run it under another name with distill.from=debate (docs/distill.md).'),
    );
  }
}

/** An adapter could not be merged into its base model. */
export class MergeFailed extends ColloquyError {
  override name = 'MergeFailed' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(base: string, lastLines: string) {
    super(
      `The adapter could not be merged into ${base}:\n${lastLines}\nWith --models in place of --merge, the adapter is written as it is.`,
    );
  }
}

/** The folder for an export holds something that no export has made; it stays unchanged. */
export class ExportFolderTaken extends ColloquyError {
  override name = 'ExportFolderTaken' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  /** @param what is wrong with it, e.g. `holds notes.txt, which no export has written` */
  constructor(path: string, what: string) {
    super(`${path} ${what}. Nothing was changed: name another folder with --output, or move this one away.`);
    this.path = path;
  }
}

/** The folder for an export cannot be made: missing rights, or a disk mounted read-only. */
export class OutputNotWritable extends ColloquyError {
  override name = 'OutputNotWritable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `${path} cannot be written (${cause.message}). Give this user the right to write there, or name another folder with --output.`,
      { cause },
    );
    this.path = path;
  }
}

/** A server trained the model and keeps it: there are no weights to merge. */
export class WeightsAtServer extends ColloquyError {
  override name = 'WeightsAtServer' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(model: string, url: string) {
    super(
      `The model is ${model} at ${url}, which trained it and keeps its weights, so there is nothing to merge or to push. Ask it there by this name; ` +
        '`colloquy export --models` writes a card with the name.',
    );
  }
}

/** The licence of a base model does not allow what is to be published, or it is not known whether it does. */
export class LicenceForbids extends ColloquyError {
  override name = 'LicenceForbids' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  /** @param remedy in a sentence, as `what` is */
  constructor(what: string, remedy: string) {
    super(`${what} ${remedy} Nothing was sent.`);
  }
}

/** Something that the hub has, or has not, keeps an export from being pushed there. */
export class PushNotPossible extends ColloquyError {
  override name = 'PushNotPossible' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  /** @param what and what to do instead, in sentences */
  constructor(what: string) {
    super(`${what} Nothing was changed there.`);
  }
}

/** No night of the series was carried on, so its agents are still the base model. */
export class NoNightAccepted extends ColloquyError {
  override name = 'NoNightAccepted' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(series: string, nights: number) {
    super(
      nights === 0
        ? `The series ${series} has no finished night in this store: it has not begun, has another name, or is elsewhere (COLLOQUY_STORE).`
        : `None of the ${nights} finished nights of the series ${series} was accepted, so its agents are still the base model.`,
    );
  }
}
