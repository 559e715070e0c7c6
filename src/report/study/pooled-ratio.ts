import type { Ratio } from '../../algorithm/measures/tests.ts';

/**
 * One ratio of several seeds: their sums divided by their sums, each seed a stratum with an error of its own. Null when none of them
 * counted anything.
 */
export function pooledRatio(ratios: readonly (Ratio | null | undefined)[]): Ratio | null {
  const counted = ratios.filter((ratio) => ratio !== null && ratio !== undefined);
  const of = counted.reduce((sum, ratio) => sum + ratio.of, 0);
  if (of === 0) return null;
  return {
    value: counted.reduce((sum, ratio) => sum + ratio.value * ratio.of, 0) / of,
    standardError: Math.hypot(...counted.map((ratio) => ratio.standardError * ratio.of)) / of,
    of,
  };
}
