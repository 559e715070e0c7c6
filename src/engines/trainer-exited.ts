import type { ExitStatus } from './process-group.ts';

/** The trainer ended in the middle of a fine-tune. The next one goes on from the newest complete checkpoint. */
export class TrainerExited extends Error {
  override name = 'TrainerExited' as const;
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
