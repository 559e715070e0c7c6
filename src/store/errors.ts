import { ColloquyError, exitCodes } from '../errors.ts';

/** An artifact that is referred to is not there, or was never finished. */
export class ArtifactMissing extends ColloquyError {
  override name = 'ArtifactMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    super(
      `${path} is missing or was never finished. It may have been deleted, or this worker has another store ` +
        '(COLLOQUY_STORE) than the one that wrote it. Start the experiment again to make it again.',
    );
    this.path = path;
  }
}

/** The bytes of an artifact are not those that were written. */
export class ArtifactDamaged extends ColloquyError {
  override name = 'ArtifactDamaged' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
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

/** There is no room left (disk, quota or the process's limit on a file's size). Nothing that was complete is lost. */
export class DiskFull extends ColloquyError {
  override name = 'DiskFull' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** What was being written: absolute. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `No room left to write ${path} (${cause.message}). Free some space; the work goes on where it was.`,
      { cause },
    );
    this.path = path;
  }
}

/** The store's folder refuses to be written to: its rights, a disk mounted read-only, a file where a folder should be. */
export class StoreNotWritable extends ColloquyError {
  override name = 'StoreNotWritable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** What was being written: absolute. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `${path} cannot be written (${cause.message}). Give this user the right to write there, or set COLLOQUY_STORE to another folder.`,
      { cause },
    );
    this.path = path;
  }
}

/** Another attempt has begun the same work. This one has stopped; Temporal has its successor's answer. */
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

/** A series' ledger cannot be read, so nobody knows which agents a night should go on from. */
export class SeriesDamaged extends ColloquyError {
  override name = 'SeriesDamaged' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  constructor(path: string, what: string) {
    super(
      `${path} ${what}. Without it nobody knows what the series has come to, and it is not begun again from the base model ` +
        "unasked. Put the file and its .ref.json back, from a backup or from the night's own copy (runs/NIGHT/night/), then retry. " +
        'Or move its folder and those of all later nights out of the series, to go on from the night before.',
    );
    this.path = path;
  }
}
