/** What is wrong with a line, or with a row of a Parquet file; the first is 1. Line 0 is the file as a whole. */
export type TaskFileFault = { readonly line: number; readonly message: string };

/** A file of questions cannot be used. Trying again cannot help: the file has to be changed. */
export class InvalidTaskFile extends Error {
  override name = 'InvalidTaskFile' as const;
  /** Absolute. */
  readonly path: string;
  readonly faults: readonly TaskFileFault[];

  /** @param expected what each row has to be, where that is what is wrong */
  constructor(path: string, faults: readonly TaskFileFault[], expected?: string) {
    const unit = path.endsWith('.parquet') ? 'row' : 'line';
    const told = faults
      .slice(0, mostTold)
      .map(({ line, message }) => (line === 0 ? message : `${unit} ${line}: ${message}`));
    const more = faults.length > mostTold ? [`… and ${faults.length - mostTold} more bad ${unit}s`] : [];
    const hint =
      expected === undefined ? '' : `\nEach ${unit} has to be ${expected}; further keys are allowed.`;
    super(
      `The task file ${path} cannot be used:\n${[...told, ...more].map((text) => `  ${text}`).join('\n')}${hint}`,
    );
    this.path = path;
    this.faults = faults;
  }
}

const mostTold = 10;
