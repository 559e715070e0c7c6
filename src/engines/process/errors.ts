import { ColloquyError, exitCodes } from '../../errors.ts';
import type { ExitStatus } from './process-group.ts';

/** A supervised engine ended when it should not have; thrown once it has done so again and again. */
export class EngineDied extends ColloquyError {
  override name = 'EngineDied' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  readonly model: string;
  readonly status: ExitStatus;
  readonly logFile: string;

  constructor(model: string, status: ExitStatus, logFile: string, lastLines: string) {
    super(
      `The engine for ${model} ${howItEnded(status)}, not for the first time. Its log (${logFile}) ends:\n${lastLines}`,
    );
    this.model = model;
    this.status = status;
    this.logFile = logFile;
  }
}

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
