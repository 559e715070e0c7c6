/** What can go wrong in a store, and what can the user do? */
import { ColloquyError, exitCodes } from '../errors.ts';

/** A referenced artifact does not exist, or was never finished. */
export class ArtifactMissing extends ColloquyError {
  override name = 'ArtifactMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** For people. */
  readonly path: string;

  constructor(path: string) {
    super(
      `${path} is missing or was never finished. It may have been deleted, or this worker has another store ` +
        '(COLLOQUY_STORE) than the one that wrote it. Start the experiment again to make it again.',
    );
    this.path = path;
  }
}

/** The files of a model were removed when the next iteration had finished, as the experiment's `keep: last` says. */
export class ModelPruned extends ColloquyError {
  override name = 'ModelPruned' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(path: string) {
    super(
      `The files of ${path} were removed when the next iteration had finished: the experiment has keep: last. ` +
        'Take the last iteration, or run it with keep: all.',
    );
  }
}

/** The bytes of an artifact are not the bytes that were written. */
export class ArtifactDamaged extends ColloquyError {
  override name = 'ArtifactDamaged' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** For people. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;

  constructor(path: string, expected: string, found: string) {
    super(
      `${path} is damaged: expected ${expected}, found ${found}. ` +
        'Delete it and start the experiment again: what is missing is made again, the rest is kept.',
    );
    this.path = path;
    this.expected = expected;
    this.found = found;
  }
}

/**
 * An artifact has the bytes that were written, but not the shape that this worker's code writes: a newer or an older version of Colloquy wrote
 * it. It stays where it is. A worker of that version may be able to take the step.
 */
export class OtherVersion extends ColloquyError {
  override name = 'OtherVersion' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  /** For people. */
  readonly path: string;

  constructor(path: string, found: string) {
    super(
      `${path} is intact, but another version of Colloquy wrote it: this version cannot read it (${found}). ` +
        'Let all workers of a server have the same version, then retry. Nothing was moved.',
    );
    this.path = path;
  }
}

/** Whether an artifact is there and cannot be used here: for pages and lists that are useful without it. */
export function isUnreadable(error: unknown): error is ArtifactDamaged | OtherVersion {
  return error instanceof ArtifactDamaged || error instanceof OtherVersion;
}

/** A record of how an experiment began is lost, and so is its copy. What depends on it must not be used again. */
export class RecordLost extends ColloquyError {
  override name = 'RecordLost' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** For people. */
  readonly path: string;

  /** @param folder of the experiment */
  constructor(path: string, copy: string, folder: string) {
    super(
      `${path} is damaged or missing, and so is its copy ${copy}. Without them it is not known with which settings, base model and ` +
        'question files the experiment began, so its debates must not be used again. Put one of the two files back from a backup, ' +
        `together with its .ref.json, and retry. Without a backup, start the experiment under a new name, or remove ${folder} to begin again.`,
    );
    this.path = path;
  }
}

/**
 * Some of an experiment's stored questions are damaged or missing, and the file that they were read from has changed since then.
 */
export class QuestionsLost extends ColloquyError {
  override name = 'QuestionsLost' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  /**
   * @param lost where the stored questions were
   * @param changed the user's own files
   * @param folder of the experiment
   */
  constructor(lost: readonly string[], changed: readonly string[], folder: string) {
    super(
      `Stored questions are damaged or missing (${lost.join(', ')}), and what they were read from has changed since the experiment began: ` +
        `${changed.join(', ')}. The experiment has debates on the old questions. Put the old version of ${changed.join(', ')} back, and ` +
        'retry. To ask the new questions, start the experiment under a new name, or ' +
        `remove ${folder} to begin again.`,
    );
  }
}

/** Another host has written this file, and this host cannot read it yet. */
export class NotVisibleYet extends ColloquyError {
  override name = 'NotVisibleYet' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** For people. */
  readonly path: string;

  constructor(path: string) {
    super(
      `${path} was just written by another host and cannot be read here yet. It is read again automatically.`,
    );
    this.path = path;
  }
}

/** There is no room left (disk, quota or the process's limit on a file's size). No complete file is lost. */
export class DiskFull extends ColloquyError {
  override name = 'DiskFull' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** What was being written. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `No room left to write ${path} (${cause.message}). Free some space; the work continues where it stopped.`,
      { cause },
    );
    this.path = path;
  }
}

/** The store's folder cannot be written: missing rights, a disk mounted read-only, or a file in the place of a folder. */
export class StoreNotWritable extends ColloquyError {
  override name = 'StoreNotWritable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** What was being written. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `${path} cannot be written (${cause.message}). Give this user the right to write there, or set COLLOQUY_STORE to another folder.`,
      { cause },
    );
    this.path = path;
  }
}

/**
 * The system did not open or read a file: too many open files, missing rights, a network disk that is away. The bytes of the file may be
 * intact, so the file stays where it is.
 */
export class FileRefused extends ColloquyError {
  override name = 'FileRefused' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly path: string;
  /** The system's code, e.g. `EMFILE`. */
  readonly code: string;

  constructor(path: string, code: string, cause: Error) {
    super(
      `${path} could not be read (${cause.message}). ${remedies[code] ?? 'Check its disk'}. ` +
        'The file itself may be intact: nothing was moved, and it is read again automatically.',
      { cause },
    );
    this.path = path;
    this.code = code;
  }
}

const moreFiles = 'Too many files are open: allow more of them (`ulimit -n`) where the worker is started';
const moreRights = 'Give the user of the worker the right to read it';
const remedies: Readonly<Record<string, string>> = {
  EMFILE: moreFiles,
  ENFILE: moreFiles,
  EACCES: moreRights,
  EPERM: moreRights,
  ESTALE: 'Another host has replaced or removed it meanwhile',
};

/** This worker has another store than the worker that began the experiment. A worker with the right one may take the step. */
export class OtherStore extends ColloquyError {
  override name = 'OtherStore' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(begunIn: Location, here: Location) {
    super(
      `The experiment was begun in the store ${begunIn.path} (on ${begunIn.host}), but this worker has another store, ${here.path} ` +
        `(on ${here.host}). All workers of a server need the same store: set COLLOQUY_STORE to it where this worker starts, or stop ` +
        'this worker. The step is tried again automatically.',
    );
  }
}

type Location = { readonly host: string; readonly path: string };

/** Another attempt has begun the same work, so this one has stopped. Temporal uses the result of the other one. */
export class ClaimLost extends ColloquyError {
  override name = 'ClaimLost' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly path: string;

  constructor(path: string) {
    super(`${path}: another worker has taken this work over, so this attempt stopped. Nothing need be done.`);
    this.path = path;
  }
}

/** A series' ledger cannot be read, so it is not known from which agents a night should continue. */
export class SeriesDamaged extends ColloquyError {
  override name = 'SeriesDamaged' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** For people. */
  readonly path: string;

  constructor(path: string, what: string) {
    super(
      `${path} ${what}. Without it the state of the series is unknown, and the series does not begin again from the base model ` +
        "by itself. Put the file and its .ref.json back, from a backup or from the night's own copy (runs/NIGHT/night/), then retry. " +
        'Or move its folder and those of all later nights out of the series, to continue from the night before.',
    );
    this.path = path;
  }
}

/** A damaged model should be made again, but its request now leads to another model. */
export class ModelCannotBeRemade extends ColloquyError {
  override name = 'ModelCannotBeRemade' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** The content address of the damaged model. */
  readonly key: string;

  constructor(key: string, now: string) {
    super(
      `The model ${key} is damaged or gone and cannot be made again: its settings or its base model have changed since, so that ` +
        `${now} would be made. Put the model's folder or the old settings and weights back, then retry.`,
    );
    this.key = key;
  }
}
