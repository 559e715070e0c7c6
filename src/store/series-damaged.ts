/** A series' ledger cannot be read, so nobody knows which agents a night should go on from. */
export class SeriesDamaged extends Error {
  override name = 'SeriesDamaged' as const;
  /** Absolute. */
  readonly path: string;

  constructor(path: string, what: string) {
    super(
      `${path} ${what}. Without it nobody knows what the series has come to, and it is not begun again from the base model ` +
        "unasked. Put the file and its .ref.json back, from a backup or from the night's own copy (runs/NIGHT/night/), then retry. " +
        'Or move its folder and those of all later nights out of the series, to go on from the night before.',
    );
    this.path = path;
  }
}
