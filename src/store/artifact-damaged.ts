/** The bytes of an artifact are not those that were written. */
export class ArtifactDamaged extends Error {
  override name = 'ArtifactDamaged' as const;
  /** Absolute. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;

  constructor(path: string, expected: string, found: string) {
    super(
      `${path} is damaged: expected ${expected}, found ${found}. ` +
        'Delete it and start the experiment again: what is missing is made again, the rest is kept.',
    );
    this.path = path;
    this.expected = expected;
    this.found = found;
  }
}
