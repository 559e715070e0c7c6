import { UsageError } from './usage-error.ts';

/**
 * What `--iteration` says.
 *
 * @throws UsageError when it is no number
 */
export function iterationOption(given: string | undefined, command: string): number | undefined {
  if (given === undefined) return undefined;
  if (/^\d{1,6}$/.test(given)) return Number(given);
  throw new UsageError(`--iteration takes a number, not "${given}".`, command);
}
