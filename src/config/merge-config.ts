/** A config as it is given: one object of JSON or YAML, not checked yet. */
export type ConfigInput = Readonly<Record<string, unknown>>;

/**
 * `over` laid over `under`: objects are merged key by key, anything else (arrays too) is replaced. Objects that both name a
 * `kind`, and not the same, have different keys: there `over` replaces the whole.
 */
export function mergeConfig(under: ConfigInput, over: ConfigInput): ConfigInput {
  // A Map and fromEntries: a key called __proto__ stays a key, to be refused by the schema as any unknown one.
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const before = merged.get(key);
    const mergeable = isConfigInput(before) && isConfigInput(value) && !differInKind(before, value);
    merged.set(key, mergeable ? mergeConfig(before, value) : value);
  }
  return Object.fromEntries(merged);
}

/** Whether it is a plain object: no array, no null, no instance of a class. */
export function isConfigInput(value: unknown): value is ConfigInput {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function differInKind(before: ConfigInput, after: ConfigInput): boolean {
  return 'kind' in before && 'kind' in after && before['kind'] !== after['kind'];
}
