/** The command line itself is wrong. */
export class UsageError extends Error {
  override name = 'UsageError' as const;
  /** The command whose help is of use, if it was one. */
  readonly command: string | undefined;

  constructor(what: string, command?: string) {
    super(`${what} See: colloquy ${command === undefined ? '' : `${command} `}--help`);
    this.command = command;
  }
}
