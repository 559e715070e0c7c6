import type { ExitStatus } from './process-group.ts';

/** A supervised engine ended when it should not have; thrown once it has done so again and again, or cannot load its model. */
export class EngineDied extends Error {
  override name = 'EngineDied' as const;
  readonly model: string;
  readonly status: ExitStatus;
  readonly logFile: string;

  constructor(model: string, status: ExitStatus, logFile: string, lastLines: string) {
    const again = status.code === modelNotServable ? '' : ', not for the first time';
    super(`The engine for ${model} ${howItEnded(status)}${again}. Its log (${logFile}) ends:\n${lastLines}`);
    this.model = model;
    this.status = status;
    this.logFile = logFile;
  }
}

export function howItEnded({ code, signal }: ExitStatus): string {
  return signal === null ? `exited with ${code}` : `was ended by ${signal}`;
}

/** The exit code of engine/serve.py when it cannot load the model: another start would say the same. */
export const modelNotServable = 2;
