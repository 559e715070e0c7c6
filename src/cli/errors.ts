import { ColloquyError, type ExitCode, exitCodes } from '../errors.ts';

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
