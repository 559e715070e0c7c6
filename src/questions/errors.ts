import { notDefinedHere } from '../config/load.ts';
import { ColloquyError, exitCodes } from '../errors.ts';
import { type HubRefusal, hubUrl } from '../store/hub-access.ts';

/** Whether a file is read as Parquet. */
export function isParquet(path: string): boolean {
  return path.toLowerCase().endsWith('.parquet');
}

/** What is wrong with a line, or with a row of a Parquet file; the first is 1. Line 0 is the file as a whole. */
export type TaskFileFault = { readonly line: number; readonly message: string };

/** A file of questions cannot be used. Trying again cannot help: the file has to be changed. */
export class InvalidTaskFile extends ColloquyError {
  override name = 'InvalidTaskFile' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  /** Absolute. */
  readonly path: string;
  readonly faults: readonly TaskFileFault[];

  /**
   * @param expected what each row has to be, where that is what is wrong
   * @param columns a sentence about the columns that are there; empty where there are none
   */
  constructor(path: string, faults: readonly TaskFileFault[], expected?: string, columns = '') {
    const unit = isParquet(path) ? 'row' : 'line';
    const listed = faults
      .slice(0, mostTold)
      .map(({ line, message }) => (line === 0 ? message : `${unit} ${line}: ${message}`));
    const more = faults.length > mostTold ? [`… and ${faults.length - mostTold} more bad ${unit}s`] : [];
    // Only where a key is missing or wrong could a reader think that the others are in the way.
    const others = faults.some(({ message }) => /^\w+: /.test(message))
      ? '; it may have other keys, too'
      : '';
    const hint =
      expected === undefined
        ? ''
        : `\nEach ${unit} has to be ${expected}${others}.${columns === '' ? '' : `\n${columns}`}`;
    super(
      `The task file ${path} cannot be used:\n${[...listed, ...more].map((text) => `  ${text}`).join('\n')}${hint}`,
    );
    this.path = path;
    this.faults = faults;
  }
}

const mostTold = 10;

/** A file of questions is there but could not be read just now: no rights, too many open files, a disk or a network that fails. */
export class TaskFileNotReadable extends ColloquyError {
  override name = 'TaskFileNotReadable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** Absolute. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(`The task file ${path} cannot be read here (${cause.message}). May this worker's user read it?`, {
      cause,
    });
    this.path = path;
  }
}

/** A gold answer that the grader cannot read. `line` is its line or Parquet row in the file; the first is 1. */
export type UnreadableGold = { readonly line: number; readonly answer: string; readonly why: string };

/** Questions whose gold answers the grader cannot read: no answer to them could be called right, so they would measure nothing. */
export class UnreadableGoldAnswers extends ColloquyError {
  override name = 'UnreadableGoldAnswers' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  /** Absolute. */
  readonly path: string;
  readonly unreadable: readonly UnreadableGold[];

  constructor(path: string, unreadable: readonly UnreadableGold[], questions: number) {
    const unit = isParquet(path) ? 'row' : 'line';
    const listed = unreadable
      .slice(0, mostListed)
      .map(({ line, answer, why }) => `  ${unit} ${line}: ${shown(answer)}: ${why}`);
    const more = unreadable.length > mostListed ? [`  … and ${unreadable.length - mostListed} more`] : [];
    super(
      `The grader cannot read ${unreadable.length} of the ${questions} gold answers of ${path}:\n${[...listed, ...more].join('\n')}\n` +
        'Correct them, or leave these questions out with task.skip_unreadable: true.',
    );
    this.path = path;
    this.unreadable = unreadable;
  }
}

const mostListed = 10;

function shown(answer: string): string {
  return JSON.stringify(answer.length > 60 ? `${answer.slice(0, 59)}…` : answer);
}

/** A dataset of the hub, its commit, and the setting that names a folder to read it from instead. */
type NamedDataset = { readonly name: string; readonly revision: string; readonly setting: string };

/** A file of a dataset is neither in the cache nor can it be had from the hub. */
export class DatasetNotReachable extends ColloquyError {
  override name = 'DatasetNotReachable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** On the hub, e.g. `openai/gsm8k`. */
  readonly dataset: string;
  /** The commit. */
  readonly revision: string;
  /** Within the dataset. */
  readonly path: string;

  constructor({ name, revision, setting }: NamedDataset, path: string, why: string, options?: ErrorOptions) {
    super(
      `${path} of the dataset ${name} at revision ${revision} could not be loaded: ${why}.\n` +
        `Where there is a network, run\n  hf download ${name} --repo-type dataset --revision ${revision} --local-dir FOLDER\n` +
        `and set ${setting} to that folder, here or wherever it is copied to.`,
      options,
    );
    this.dataset = name;
    this.revision = revision;
    this.path = path;
  }
}

/** The hub has the dataset, but no such file at that revision: a setting names what is not there. */
export class DatasetFileUnknown extends ColloquyError {
  override name = 'DatasetFileUnknown' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor({ name, revision, setting }: NamedDataset, path: string) {
    super(
      `${path} of the dataset ${name} at revision ${revision} could not be loaded: that revision has no such file. ` +
        `Correct or leave out the revision. If the file is in a folder of yours, set ${setting} to that folder.`,
    );
  }
}

/** The hub has no such dataset, or no such revision of it: a setting names what is not there. */
export class DatasetUnknown extends ColloquyError {
  override name = 'DatasetUnknown' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  /** @param withToken whether the hub knew who asked */
  constructor({ name, revision }: NamedDataset, refused: HubRefusal, withToken: boolean) {
    super(
      refused.code === 'RevisionNotFound'
        ? `The dataset ${name} has no revision ${revision} on the hub (${refused.words}). Correct or leave out the revision.`
        : `The hub shows ${withToken ? 'the account of this token' : 'somebody without a token'} no dataset ${name} (${refused.words}). Correct its name (OWNER/NAME). ` +
            `If it is a private one, set HF_TOKEN where the worker runs to a token that may read it.`,
    );
  }
}

/** The hub has the dataset and does not give it to this worker: it is gated or private. Another worker may have a token that may read it. */
export class DatasetNotAllowed extends ColloquyError {
  override name = 'DatasetNotAllowed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.badUsage;
  override readonly workerLacksIt = true;

  /** @param token where the token was found; null when there was none */
  constructor({ name, setting }: NamedDataset, refused: HubRefusal, token: string | null) {
    super(
      `The hub does not give the dataset ${name} to ${token === null ? 'somebody without a token' : `the account of the token of ${token}`} (${refused.words}). ` +
        `If it is gated, log in, open ${hubUrl()}/datasets/${name} and accept its terms; then set HF_TOKEN where the worker runs to a token of that account that may read it. ` +
        `A copy can be used instead: set ${setting} to its folder.`,
    );
  }
}

/** The worker's configuration has no scorer of this name. Another worker may have one. */
export class ScorerUnknown extends ColloquyError {
  override name = 'ScorerUnknown' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.badUsage;
  override readonly workerLacksIt = true;

  constructor(scorer: string, known: readonly string[]) {
    super(notDefinedHere('scorer', scorer, known));
  }
}

/** A scorer's program ended without a reply. */
export class ScorerEnded extends ColloquyError {
  override name = 'ScorerEnded' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  /** @param how e.g. `it exited with code 1` */
  constructor(scorer: string, how: string, errors: string) {
    const wrote = errors.trim() === '' ? '' : ` It wrote to stderr:\n${errors.trim()}`;
    super(
      `The scorer ${scorer} did not judge an answer: ${how}. Try its command by hand with a line such as {"question": "…", "gold": "5", "accepted": [], "answer": "5"}.${wrote}`,
    );
  }
}

/** A scorer took longer for one answer than its `timeout_seconds`. */
export class ScorerTooSlow extends ColloquyError {
  override name = 'ScorerTooSlow' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(scorer: string, seconds: number) {
    super(
      `The scorer ${scorer} did not reply within ${seconds} s. It has to write a line for each line that it reads, and to flush its output each time. ` +
        'If it needs longer, raise its timeout_seconds in the file of scorers and start the worker again.',
    );
  }
}

/** A scorer's reply is no JSON object with `correct`. The program has to be changed. */
export class ScorerReplyUnreadable extends ColloquyError {
  override name = 'ScorerReplyUnreadable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(scorer: string, reply: string) {
    super(
      `The scorer ${scorer} replied ${JSON.stringify(reply.slice(0, 200))}. Each of its lines has to be a JSON object such as {"correct": true}; messages belong on stderr.`,
    );
  }
}
