/** A loaded adapter gives its canary prompt exactly the base model's probabilities, though its weights are not all zero. */
export class AdapterWithoutEffect extends Error {
  override name = 'AdapterWithoutEffect' as const;
  readonly adapter: string;
  readonly path: string;

  constructor(adapter: string, path: string) {
    super(
      `The adapter ${adapter} (${path}) was loaded, but the model answers exactly as the base model does. ` +
        `The server ignores it: start it with LoRA enabled for these target modules and this rank.`,
    );
    this.adapter = adapter;
    this.path = path;
  }
}
