import { ColloquyError, exitCodes } from '../errors.ts';

/** An experiment has not finished: it has no result.json. */
export class NothingToReport extends ColloquyError {
  override name = 'NothingToReport' as const;
  // The files may become visible later: several hosts can share a store.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly folder: string;

  constructor(folder: string) {
    super(`There is no result.json in ${folder}: the experiment has not finished, or has another name.`);
    this.folder = folder;
  }
}

/** An experiment has not been evaluated after the iteration that was asked for. */
export class NoEvaluation extends ColloquyError {
  override name = 'NoEvaluation' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(experiment: string, iteration: number, evaluated: readonly number[]) {
    super(
      `${experiment} has no evaluation of iteration ${iteration}. There are: ${evaluated.join(', ')} (0 is the base model).`,
    );
  }
}

/** Two experiments share no held-out question, so they cannot be compared. */
export class NoQuestionInCommon extends ColloquyError {
  override name = 'NoQuestionInCommon' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(a: { experiment: string; questions: number }, b: { experiment: string; questions: number }) {
    super(
      `${a.experiment} and ${b.experiment} have no held-out question in common (${a.questions} and ${b.questions} questions): ` +
        'only experiments that are measured on the same questions can be compared. Give both the same task and seed, or the same test_file.',
    );
  }
}

/** No study of this name was started in this store. */
export class StudyNotFound extends ColloquyError {
  override name = 'StudyNotFound' as const;
  // The files may become visible later: several hosts can share a store.
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    super(
      `There is no ${path}: no study of this name was started in this store (COLLOQUY_STORE). Start it with \`colloquy study\`.`,
    );
    this.path = path;
  }
}
