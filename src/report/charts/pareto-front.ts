/** What a result cost, and how good it was. */
export type Priced = { readonly tokens: number; readonly accuracy: number };

/** The results than which no other is at least as good for at most as many tokens, the cheapest first. Of equal ones, the first. */
export function paretoFront<Result extends Priced>(results: readonly Result[]): Result[] {
  const byCost = results.toSorted((a, b) => a.tokens - b.tokens || b.accuracy - a.accuracy);
  let best = Number.NEGATIVE_INFINITY;
  return byCost.filter(({ accuracy }) => {
    if (accuracy <= best) return false;
    best = accuracy;
    return true;
  });
}
