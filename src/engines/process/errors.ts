import { ColloquyError, exitCodes } from '../../errors.ts';
import { lastCause } from './log-file.ts';
import type { ExitStatus, ProcessGroup } from './process-group.ts';

/** A supervised program ended when it should not have; thrown once it has done so again and again. */
export class EngineDied extends ColloquyError {
  override name = 'EngineDied' as const;
  readonly retryable: boolean;
  readonly exitCode = exitCodes.failed;
  readonly model: string;
  readonly status: ExitStatus;
  readonly logFile: string;
  readonly #death: Death;

  /** @param atOneRequest how often it died while one and the same request was under way, where that is why it is given up */
  constructor(death: Death, atOneRequest?: number) {
    const { name, status, log, deaths } = death;
    const cause = lastCause(log.lines());
    const times =
      atOneRequest !== undefined
        ? ` It has died ${atOneRequest} times while the same requests were under way, so they are not sent again before somebody asks for it.`
        : deaths > 1
          ? ` It has died ${deaths} times in a row without an answer.`
          : '';
    super(
      `The engine for ${name} ${howItEnded(status)}.${times}${cause === undefined ? '' : ` The cause in its log: ${cause}`}\n` +
        `Its log (${log.file}) ends:\n${log.ending()}`,
    );
    this.model = name;
    this.status = status;
    this.logFile = log.file;
    this.#death = death;
    // A request that kills a server is not sent again and again.
    this.retryable = atOneRequest === undefined;
  }

  /** The error for a request that was sent to several processes, all of which died. */
  duringOneRequest(times: number): EngineDied {
    return new EngineDied(this.#death, times);
  }
}

export type Death = {
  /** What the program is called: its model's name. */
  readonly name: string;
  readonly status: ExitStatus;
  readonly log: ProcessGroup['log'];
  /** How often it has died since it was of use last, this time included. */
  readonly deaths: number;
};

export function howItEnded({ code, signal }: ExitStatus): string {
  return signal === null ? `exited with ${code}` : `was ended by ${signal}`;
}

/** The embedded engine cannot serve a model: its files are damaged, or it is of a family that the engine cannot run exactly. */
export class ModelNotServable extends ColloquyError {
  override name = 'ModelNotServable' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;
  readonly model: string;

  /** @param words the engine's own sentences, which name the model */
  constructor(model: string, words: string) {
    super(words);
    this.model = model;
  }
}
