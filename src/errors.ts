/** What the process `colloquy` ends with. Documented in `colloquy --help`. */
export const exitCodes = {
  ok: 0,
  /** The experiment failed, or a command could not do what it was asked. */
  failed: 1,
  /** The command line or the config is wrong; nothing was started. */
  badUsage: 2,
  /** The experiment waits for `colloquy retry` or `colloquy abort`. */
  waitsForPerson: 3,
  temporalNotReachable: 4,
  /** Ctrl-C, as shells have it: 128 + SIGINT. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * The base of every error that Colloquy throws on purpose. The message says what happened, where, and what to do. Each class
 * states its own policy; a class without one does not compile. Any other error is a bug, or comes from a library.
 */
export abstract class ColloquyError extends Error {
  /** The name of the class. It is the failure's type in Temporal, and `colloquy` prints it in JSON. */
  abstract override readonly name: string;
  /** Whether the same step can succeed when it is tried again with nothing changed. If not, a person has to act first. */
  abstract readonly retryable: boolean;
  /** What `colloquy` exits with when a command ends with this error. `badUsage` means that the user's own input is wrong. */
  abstract readonly exitCode: ExitCode;
  /**
   * Whether this worker lacks what the step needs (an endpoint, a key, a model's folder, a program), so that another worker may be able
   * to do it. The step is then offered to the workers a few times, and waits for a person if none of them can do it.
   */
  readonly workerLacksIt: boolean = false;
}

/** The command line itself is wrong. */
export class UsageError extends ColloquyError {
  override name = 'UsageError' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  /** @param command the command whose help is useful, if it is known */
  constructor(what: string, command?: string) {
    super(`${what} See: colloquy ${command === undefined ? '' : `${command} `}--help`);
  }
}

/** The text to print for an error: only the message of an error with a class of its own; for any other, which is a bug, the stack. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return hasOwnClass(error) ? error.message : (error.stack ?? error.message);
}

/** The exit code for an error: its class states it; any other error is a failure. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof ColloquyError ? error.exitCode : exitCodes.failed;
}

/** Our error classes set a name of their own; errors of JavaScript and Node do not. */
function hasOwnClass(error: Error): boolean {
  return !['Error', 'AggregateError', 'AssertionError'].includes(error.name) && !(error.name in globalThis);
}
