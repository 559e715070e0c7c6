/** The store has no experiment of that name. */
export class ExperimentNotInStore extends Error {
  override name = 'ExperimentNotInStore' as const;
  /** Where it would be: absolute. */
  readonly folder: string;

  constructor(folder: string) {
    super(
      `There is no config.json in ${folder}: the experiment has another name, or is in another store (COLLOQUY_STORE).`,
    );
    this.folder = folder;
  }
}
