/** A study that nobody has started in this store. */
export class StudyNotFound extends Error {
  override name = 'StudyNotFound' as const;
  /** Absolute. */
  readonly path: string;

  constructor(path: string) {
    super(
      `There is no ${path}: no study of this name was started in this store (COLLOQUY_STORE). Start it with \`colloquy study\`.`,
    );
    this.path = path;
  }
}
