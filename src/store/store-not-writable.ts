/** The store's folder refuses to be written to: its rights, a disk mounted read-only, a file where a folder should be. */
export class StoreNotWritable extends Error {
  override name = 'StoreNotWritable' as const;
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
