import type { FailureKind } from '../../config/contract.ts';
import type { ExitStatus } from '../process/process-group.ts';
import { notDefinedHere } from '../../config/load.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** The trainer gave up a fine-tune for a reason that it names. */
export class FineTuneFailed extends ColloquyError {
  override name = 'FineTuneFailed' as const;
  /** With the same data, settings and memory most kinds would fail again. Only these two may pass. */
  readonly retryable: boolean;
  readonly exitCode = exitCodes.failed;
  readonly kind: FailureKind;
  /** The trainer's message. */
  readonly words: string;

  constructor(jobId: string, kind: FailureKind, words: string) {
    super(`${jobId} failed (${kind}): ${words}. ${remedies[kind]}`);
    this.kind = kind;
    this.retryable = kind === 'internal' || kind === 'in_use';
    this.words = words;
  }
}

const remedies: Readonly<Record<FailureKind, string>> = {
  nan_loss: 'Lower fine_tune.learning_rate.',
  out_of_memory: 'A smaller batch does not help: the trainer has already tried that.',
  disk_full: 'Make room on the disk that holds the runs.',
  bad_data: 'The dataset cannot be used as it is.',
  bad_settings: 'Correct the settings under fine_tune.',
  bad_trainer: 'Correct the trainer in the trainers.yaml of this worker.',
  missing_model:
    'Can its base model be reached from where the trainer runs? The model of an experiment cannot be changed.',
  in_use: 'Two workers have the same fine-tune: the one that only stalled gives way within a minute.',
  internal: "The trainer's log says more.",
};

/** The trainer ended in the middle of a fine-tune. The next attempt continues from the newest complete checkpoint. */
export class TrainerExited extends ColloquyError {
  override name = 'TrainerExited' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly status: ExitStatus;
  /** The end of its log. */
  readonly lastLines: string;
  readonly logFile: string;

  constructor(jobId: string, status: ExitStatus, logFile: string, lastLines: string) {
    const how =
      status.signal === null
        ? `exited with ${status.code}`
        : `was ended by ${status.signal}${status.signal === 'SIGKILL' ? ' (out of memory?)' : ''}`;
    super(`The trainer ${how} before ${jobId} was done. Its log (${logFile}) ends:\n${lastLines}`);
    this.status = status;
    this.lastLines = lastLines;
    this.logFile = logFile;
  }
}

/** A line on the trainer's stdout is no event of its protocol. Its process is ended, because its output cannot be trusted. */
export class TrainerSpokeGarbage extends ColloquyError {
  override name = 'TrainerSpokeGarbage' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** The line, at most 200 characters of it. */
  readonly line: string;

  constructor(line: string, fault: string, logFile: string) {
    const shown = line.slice(0, 200);
    super(
      `The trainer wrote a line to its stdout that is no event (${fault}): ${shown}. Its log: ${logFile}`,
    );
    this.line = shown;
  }
}

/** The trainer ran but reported nothing for too long, and was ended. The next attempt continues from its newest checkpoint. */
export class TrainerStalled extends ColloquyError {
  override name = 'TrainerStalled' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  /** The length of the silence. Milliseconds. */
  readonly silentMs: number;

  constructor(jobId: string, silentMs: number, logFile: string, lastLines: string) {
    super(
      `The trainer reported nothing about ${jobId} for ${Math.round(silentMs / 1000)} s and was ended. ` +
        `Its log (${logFile}) ends:\n${lastLines}`,
    );
    this.silentMs = silentMs;
  }
}

/** A fine-tune was stopped on request, after a checkpoint. When it is submitted again, it continues from there. */
export class FineTuneStopped extends ColloquyError {
  override name = 'FineTuneStopped' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(jobId: string) {
    super(`${jobId} was stopped before its end. Its next attempt continues from the newest checkpoint.`);
  }
}

/** A fine-tune is to be watched that was never submitted to this trainer, and whose model is not finished. */
export class FineTuneNotSubmitted extends ColloquyError {
  override name = 'FineTuneNotSubmitted' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(jobId: string) {
    super(`${jobId} does not run on this trainer and its model is not finished. Submit it first.`);
  }
}

/** The worker's configuration has no trainer of this name. Another worker may have one. */
export class TrainerUnknown extends ColloquyError {
  override name = 'TrainerUnknown' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.badUsage;
  override readonly workerLacksIt = true;

  constructor(trainer: string, known: readonly string[]) {
    super(notDefinedHere('trainer', trainer, known));
  }
}

/** No answer came from a Ray cluster, or its dashboard failed. Its jobs may go on. */
export class RayUnreachable extends ColloquyError {
  override name = 'RayUnreachable' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, reason: string) {
    super(
      `Ray at ${url} cannot be asked (${reason}). Does its head run, and can this worker reach its dashboard? ` +
        'A fine-tune goes on from its newest checkpoint when Ray answers again.',
    );
  }
}

/** A Ray cluster does not let this worker in. */
export class RayRefused extends ColloquyError {
  override name = 'RayRefused' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  readonly status: number;

  /** @param withToken whether the request had a token */
  constructor(url: string, status: number, words: string, withToken: boolean) {
    super(
      `Ray at ${url} refused with status ${status}: ${words}. ${
        withToken
          ? 'Is the token in the variable that api_key_env of this trainer names the one of this cluster?'
          : 'Put its token into an environment variable where the worker runs, and name that variable as api_key_env of this trainer.'
      }`,
    );
    this.status = status;
  }
}

/** What answers at a trainer's URL is not the Jobs API of Ray, or it failed. */
export class RayAnswerInvalid extends ColloquyError {
  override name = 'RayAnswerInvalid' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, fault: string, excerpt: string) {
    super(
      `${url} gave an answer that is none of Ray's Jobs API: ${fault}. ${excerpt === '' ? '' : `It ends: ${excerpt}. `}` +
        'Is this the URL of the dashboard, and was Ray installed as ray[default]? Without it, Ray has no Jobs API.',
    );
  }
}

/** Ray has a job of this id that was submitted for something else. */
export class RayJobIdTaken extends ColloquyError {
  override name = 'RayJobIdTaken' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(id: string, url: string) {
    super(
      `Ray at ${url} has a job ${id} already, and it is not this fine-tune in this store: its metadata differs. ` +
        'Find out who submitted it; delete it (DELETE /api/jobs/ID) when it is not needed, and retry.',
    );
  }
}

/** A Ray cluster does not know a job that was submitted to it, or its node is gone. The next attempt continues from the newest complete checkpoint. */
export class RayJobLost extends ColloquyError {
  override name = 'RayJobLost' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor(id: string, url: string, words: string) {
    super(
      `The job ${id} of Ray at ${url} is lost: ${words}. The next attempt goes on from the newest checkpoint.`,
    );
  }
}

/** A Ray cluster can never run a job: no node has what it asks for. */
export class RayCannotPlace extends ColloquyError {
  override name = 'RayCannotPlace' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  /** @param asked and `has`: as clauses */
  constructor(url: string, asked: string, has: string) {
    super(
      `Ray at ${url} cannot place this fine-tune: it asks for ${asked}, and the cluster has ${has}. ` +
        'Add nodes, or change processes, cpus_per_process or gpus_per_process of this trainer; where the cluster starts nodes by itself, raise patience_minutes.',
    );
  }
}

/** A job of a Ray cluster does not see the worker's store. */
export class RayStoreNotVisible extends ColloquyError {
  override name = 'RayStoreNotVisible' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(url: string, path: string) {
    super(
      `The store is not visible from a job of Ray at ${url}: the job did not find this worker's file ${path}. ` +
        'Mount the store on all nodes of the cluster, at the same path as here or at the one that store of this trainer names.',
    );
  }
}
