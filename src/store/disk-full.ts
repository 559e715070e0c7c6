/** There is no room left (disk, quota or the process's limit on a file's size). Nothing that was complete is lost. */
export class DiskFull extends Error {
  override name = 'DiskFull' as const;
  /** What was being written: absolute. */
  readonly path: string;

  constructor(path: string, cause: Error) {
    super(
      `No room left to write ${path} (${cause.message}). Free some space; the work goes on where it was.`,
      { cause },
    );
    this.path = path;
  }
}
