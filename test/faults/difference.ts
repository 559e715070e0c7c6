/** What two objects, or lists, do not have in common: the first six entries. */
export function difference(found: unknown, expected: unknown): string {
  const [a, b] = [Object.entries(found ?? {}), Object.entries(expected ?? {})].map((entries) =>
    entries.map((entry) => JSON.stringify(entry)),
  );
  return [
    ...(a ?? []).filter((each) => !b?.includes(each)).map((each) => `found ${each}`),
    ...(b ?? []).filter((each) => !a?.includes(each)).map((each) => `expected ${each}`),
  ]
    .slice(0, 6)
    .join('; ');
}
