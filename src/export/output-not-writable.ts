/** The folder of an export cannot be made: rights, or a disk mounted read-only. */
export class OutputNotWritable extends Error {
  override name = 'OutputNotWritable' as const;
  /** Absolute. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `${path} cannot be written (${cause.message}). Give this user the right to write there, or name another folder with --output.`,
      { cause },
    );
    this.path = path;
  }
}
