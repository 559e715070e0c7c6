/** What the process says to whoever started it. Documented in `colloquy --help`. */
export const exitCodes = {
  ok: 0,
  /** The experiment failed, or something that was to be done could not be. */
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
