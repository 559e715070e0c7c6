/** How is the equality of two answers decided when the compute engine is needed? The questions are data, so that comparing is pure. */

/** A question for the compute engine: are two expressions equal, or do they differ only by a constant factor? */
export interface EngineQuestion {
  readonly relation: 'equal' | 'proportional' | 'positively proportional';
  readonly a: string;
  readonly b: string;
}

/** Known, or one question for the engine, or all or any of several equalities, or a one-to-one pairing of rows with columns. */
export type Equality =
  | boolean
  | { readonly ask: EngineQuestion }
  | { readonly all: readonly Equality[] }
  | { readonly any: readonly Equality[] }
  | { readonly pairing: readonly (readonly Equality[])[] };

/** True when all `parts` are. One that is known to be false decides. */
export function allOf(parts: readonly Equality[]): Equality {
  if (parts.includes(false)) return false;
  const open = parts.filter((part) => part !== true);
  return open.length === 0 ? true : open.length === 1 ? (open[0] ?? true) : { all: open };
}

/** True when at least one of `parts` is. One that is known to be true decides. */
export function anyOf(parts: readonly Equality[]): Equality {
  if (parts.includes(true)) return true;
  const open = parts.filter((part) => part !== false);
  return open.length === 0 ? false : open.length === 1 ? (open[0] ?? false) : { any: open };
}

/** Decides an equality with as few questions to the engine as possible. Returns a promise only when the engine is needed. */
export function settle(
  equality: Equality,
  ask: (question: EngineQuestion) => Promise<boolean>,
): boolean | Promise<boolean> {
  if (typeof equality === 'boolean') return equality;
  return resolve(equality, ask);
}

async function resolve(
  equality: Equality,
  ask: (question: EngineQuestion) => Promise<boolean>,
): Promise<boolean> {
  if (typeof equality === 'boolean') return equality;
  if ('ask' in equality) return ask(equality.ask);
  if ('all' in equality) {
    for (const part of equality.all) if (!(await resolve(part, ask))) return false;
    return true;
  }
  if ('any' in equality) {
    for (const part of equality.any) if (await resolve(part, ask)) return true;
    return false;
  }
  return pair(equality.pairing, ask);
}

/** Pairs each row with the first free column that is equal. For an equivalence relation the choice of the column does not matter. */
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
