/** One thing that is wrong with a config. */
export type ConfigFault = {
  /** Where, in dots, e.g. `task.train_size`; empty when it is about the whole. */
  readonly path: string;
  /** The value given and what is allowed. */
  readonly message: string;
};

/** What an experiment or an endpoint was given is not a config. Trying again cannot help: it has to be changed. */
export class InvalidConfig extends Error {
  override name = 'InvalidConfig' as const;
  /** Every fault, not just the first. */
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[], subject = 'The config') {
    const lines = faults.map(({ path, message }) => (path === '' ? `  ${message}` : `  ${path}: ${message}`));
    super(
      `${subject} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${lines.join('\n')}`,
    );
    this.faults = faults;
  }
}
