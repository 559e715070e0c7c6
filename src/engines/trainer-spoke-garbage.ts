/** A line on the trainer's stdout is no event of its protocol: its process is ended, as nothing it says can be trusted. */
export class TrainerSpokeGarbage extends Error {
  override name = 'TrainerSpokeGarbage' as const;
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
