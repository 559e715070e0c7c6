import type { DifferenceInterval } from '../../../algorithm/measures/tests.ts';
import { points, pValue } from '../../format.ts';

/** How figures are said within a sentence. */

/** `+2.4 points, 95 % +0.3 to +4.6`. */
export function differenceSaid({ difference, low, high }: DifferenceInterval): string {
  return `${points(difference)} points, 95 % ${points(low)} to ${points(high)}`;
}

/** `p = 0.031`, or `p < 0.001`; the tables have all digits. */
export function chanceSaid(p: number): string {
  return p < 0.001 ? 'p < 0.001' : `p = ${pValue(p)}`;
}

/** `a, b and c`. */
export function listed(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} and ${last}`;
}

export function iterationsSaid(iterations: number): string {
  return iterations === 1 ? 'one iteration' : `${iterations} iterations`;
}
