/**
 * Places for labels of one column, each as near to where it would stand as it may, none nearer than `gap` to another. In the order that
 * they were given.
 *
 * @param wanted from the top, in pixels
 * @param bottom no label goes below it as long as there is room above
 */
export function spread(wanted: readonly number[], gap: number, bottom: number): number[] {
  const order = wanted.map((_, index) => index).toSorted((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const places = wanted.map(Number);
  let free = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    const place = Math.max(places[index] ?? 0, free);
    places[index] = place;
    free = place + gap;
  }
  // What was pushed down too far goes up again, and pushes the others.
  let limit = bottom;
  for (const index of order.toReversed()) {
    const place = Math.min(places[index] ?? 0, limit);
    places[index] = place;
    limit = place - gap;
  }
  return places;
}
