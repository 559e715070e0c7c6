/**
 * Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979) of the p-values of one table: adjusted p-values, each
 * where its p-value stood. Calling significant what is at most 5 % afterwards makes a mistake anywhere in the table with a
 * probability of at most 5 %, whatever depends on what. The i-th smallest of m, counted from 0, is multiplied by m - i; none
 * becomes less than a smaller one, or more than 1.
 */
export function holm(pValues: readonly number[]): number[] {
  const adjusted = [...pValues];
  const order = pValues.map((p, index) => ({ p, index })).toSorted((a, b) => a.p - b.p);
  let least = 0;
  for (const [place, { p, index }] of order.entries()) {
    least = Math.min(1, Math.max(least, (pValues.length - place) * p));
    adjusted[index] = least;
  }
  return adjusted;
}
