/** What is wrong with a line; the first line is 1. Line 0 is the file as a whole. */
export type TaskFileFault = { readonly line: number; readonly message: string };

/** A file of questions cannot be used. Trying again cannot help: the file has to be changed. */
export class InvalidTaskFile extends Error {
  override name = 'InvalidTaskFile' as const;
  /** Absolute. */
  readonly path: string;
  readonly faults: readonly TaskFileFault[];

  constructor(path: string, faults: readonly TaskFileFault[]) {
    const told = faults
      .slice(0, mostTold)
      .map(({ line, message }) => (line === 0 ? message : `line ${line}: ${message}`));
    const more = faults.length > mostTold ? [`… and ${faults.length - mostTold} more bad lines`] : [];
    super(
      `The task file ${path} cannot be used:\n${[...told, ...more].map((text) => `  ${text}`).join('\n')}\n` +
        'Each line has to be an object {"question": "…", "answer": "…"}; further keys are allowed.',
    );
    this.path = path;
    this.faults = faults;
  }
}

const mostTold = 10;
