import { type ExitCode, exitCodes } from './exit-codes.ts';

/** What is printed for an error: its message alone when it has a class of its own, else the whole stack, for it is a bug. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return isKnown(error) ? error.message : (error.stack ?? error.message);
}

/** The exit code that tells the kind of error. */
export function exitCodeOf(error: unknown): ExitCode {
  const name = error instanceof Error ? error.name : '';
  if (badUsage.has(name)) return exitCodes.badUsage;
  return name === 'TemporalNotReachable' ? exitCodes.temporalNotReachable : exitCodes.failed;
}

/** By name, as the classes belong to parts of the program that most commands never load. */
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

/** A class of its own names itself; what the language or the system throws does not. */
function isKnown(error: Error): boolean {
  return !['Error', 'AggregateError', 'AssertionError'].includes(error.name) && !(error.name in globalThis);
}
