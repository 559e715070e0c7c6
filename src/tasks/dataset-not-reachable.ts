/** A file of a dataset is neither in the cache nor can it be had from the hub. */
export class DatasetNotReachable extends Error {
  override name = 'DatasetNotReachable' as const;
  /** On the hub, e.g. `openai/gsm8k`. */
  readonly dataset: string;
  /** The commit. */
  readonly revision: string;
  /** Within the dataset. */
  readonly path: string;

  constructor(
    {
      name,
      revision,
      setting,
    }: { readonly name: string; readonly revision: string; readonly setting: string },
    path: string,
    why: string,
    options?: ErrorOptions,
  ) {
    super(
      `${path} of the dataset ${name} at revision ${revision} could not be loaded: ${why}.\n` +
        `Where there is a network, run\n  hf download ${name} --repo-type dataset --revision ${revision} --local-dir FOLDER\n` +
        `and set ${setting} to that folder, here or wherever it is copied to.`,
      options,
    );
    this.dataset = name;
    this.revision = revision;
    this.path = path;
  }
}
