/** An artifact that is referred to is not there, or was never finished. */
export class ArtifactMissing extends Error {
  override name = 'ArtifactMissing' as const;
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    super(
      `${path} is missing or was never finished. It may have been deleted, or this worker has another store ` +
        '(COLLOQUY_STORE) than the one that wrote it. Start the experiment again to make it again.',
    );
    this.path = path;
  }
}
