/** What the process returns to its caller. Listed in `colloquy --help`. */
export const exitCodes = {
  ok: 0,
  /** The experiment failed, or the command could not do what it was asked to do. */
  failed: 1,
  /** The command line or the config is wrong; nothing was started. */
  badUsage: 2,
  /** The experiment waits for `colloquy retry` or `colloquy abort`. */
  waitsForPerson: 3,
  temporalNotReachable: 4,
  /** Ctrl-C, as in shells: 128 + SIGINT. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The command line itself is wrong. */
export class UsageError extends Error {
  override name = 'UsageError' as const;

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

/** The exit code for this kind of error. */
export function exitCodeOf(error: unknown): ExitCode {
  const name = error instanceof Error ? error.name : '';
  if (badUsage.has(name)) return exitCodes.badUsage;
  return name === 'TemporalNotReachable' ? exitCodes.temporalNotReachable : exitCodes.failed;
}

/** Names instead of classes, because most commands never load the modules that define these. */
const badUsage = new Set([
  'UsageError',
  'InvalidConfig',
  'InvalidTaskFile',
  'UnreadableGoldAnswers',
  'BadGradeLine',
  'ExperimentHasOtherConfig',
  'StudyHasOtherConfig',
  'OtherKind',
  'TemporalSettingsUnusable',
  'InvalidEnvironment',
]);

/** Our error classes set a name of their own; errors of JavaScript and Node do not. */
function hasOwnClass(error: Error): boolean {
  return !['Error', 'AggregateError', 'AssertionError'].includes(error.name) && !(error.name in globalThis);
}
