/** Whole tens around the values, in per cent, not from zero: these are positions, not lengths, and the axis says where it begins. */
export function percentAxis(
  title: string,
  values: readonly number[],
): { readonly title: string; readonly domain: readonly [number, number] } {
  const known = values.filter(Number.isFinite);
  const low = Math.max(0, Math.floor((Math.min(...known, 100) - 2) / 10) * 10);
  const high = Math.min(100, Math.ceil((Math.max(...known, low) + 2) / 10) * 10);
  return { title, domain: [low, Math.max(high, low + 10)] };
}
