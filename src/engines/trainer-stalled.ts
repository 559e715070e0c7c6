/** The trainer lived but said nothing for too long, and was ended. The next try goes on from its newest checkpoint. */
export class TrainerStalled extends Error {
  override name = 'TrainerStalled' as const;
  /** How long it was silent. Milliseconds. */
  readonly silentMs: number;

  constructor(jobId: string, silentMs: number, logFile: string, lastLines: string) {
    super(
      `The trainer reported nothing about ${jobId} for ${Math.round(silentMs / 1000)} s and was ended. ` +
        `Its log (${logFile}) ends:\n${lastLines}`,
    );
    this.silentMs = silentMs;
  }
}
