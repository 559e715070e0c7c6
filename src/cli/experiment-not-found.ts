/** Temporal knows no experiment of that name. */
export class ExperimentNotFound extends Error {
  override name = 'ExperimentNotFound' as const;

  constructor(experiment: string, address: string) {
    super(
      `There is no experiment "${experiment}" at ${address}. ` +
        '`colloquy status` lists those there are; `colloquy run CONFIG` starts one.',
    );
  }
}
