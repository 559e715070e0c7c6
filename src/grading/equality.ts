/** What has to be found out before two answers are known to be equal, as data: comparing stays pure and synchronous. */

/** A question for the compute engine: are two expressions the same, or do they differ by a constant factor only? */
export interface EngineQuestion {
  readonly relation: 'equal' | 'proportional' | 'positively proportional';
  readonly a: string;
  readonly b: string;
}

/** Settled, or: one question for the engine, all of several, or a one-to-one pairing of rows with columns. */
export type Equality =
  | boolean
  | { readonly ask: EngineQuestion }
  | { readonly all: readonly Equality[] }
  | { readonly any: readonly Equality[] }
  | { readonly pairing: readonly (readonly Equality[])[] };

/** All of `parts`, settled at once when one of them is false. */
export function allOf(parts: readonly Equality[]): Equality {
  if (parts.includes(false)) return false;
  const open = parts.filter((part) => part !== true);
  return open.length === 0 ? true : open.length === 1 ? (open[0] ?? true) : { all: open };
}

/** At least one of `parts`. */
export function anyOf(parts: readonly Equality[]): Equality {
  if (parts.includes(true)) return true;
  const open = parts.filter((part) => part !== false);
  return open.length === 0 ? false : open.length === 1 ? (open[0] ?? false) : { any: open };
}

/** Settles a verdict, asking the engine as little as possible; a promise only when the engine is needed. */
export function settle(
  verdict: Equality,
  ask: (question: EngineQuestion) => Promise<boolean>,
): boolean | Promise<boolean> {
  if (typeof verdict === 'boolean') return verdict;
  return resolve(verdict, ask);
}

async function resolve(
  verdict: Equality,
  ask: (question: EngineQuestion) => Promise<boolean>,
): Promise<boolean> {
  if (typeof verdict === 'boolean') return verdict;
  if ('ask' in verdict) return ask(verdict.ask);
  if ('all' in verdict) {
    for (const part of verdict.all) if (!(await resolve(part, ask))) return false;
    return true;
  }
  if ('any' in verdict) {
    for (const part of verdict.any) if (await resolve(part, ask)) return true;
    return false;
  }
  return pair(verdict.pairing, ask);
}

/** Each row takes the first free column that is equal: right for an equivalence, where it does not matter which. */
async function pair(
  table: readonly (readonly Equality[])[],
  ask: (question: EngineQuestion) => Promise<boolean>,
): Promise<boolean> {
  const taken = new Set<number>();
  for (const row of table) {
    let found = row.findIndex((cell, column) => cell === true && !taken.has(column));
    for (let column = 0; found < 0 && column < row.length; column++) {
      const cell = row[column] ?? false;
      if (!taken.has(column) && cell !== false && (await resolve(cell, ask))) found = column;
    }
    if (found < 0) return false;
    taken.add(found);
  }
  return true;
}
