/** The budget of an experiment: what it may use, what it has used, and when it has to wait for more. Nothing here asks a clock. */

export const budgetKinds = ['tokens', 'device_seconds', 'wall_seconds'] as const;
export type BudgetKind = (typeof budgetKinds)[number];

/** What may be used of each kind; a kind without a limit is only counted. */
export type Limits = { readonly [kind in BudgetKind]?: number | undefined };
/** What was used of each kind. */
export type UsedSoFar = Readonly<Record<BudgetKind, number>>;

export const nothingUsed: UsedSoFar = { tokens: 0, device_seconds: 0, wall_seconds: 0 };

export type Budget = {
  readonly limits: Limits;
  readonly used: UsedSoFar;
  /**
   * The tokens of the steps that this chain of runs has been through. A chain goes through all steps from the beginning, the finished ones
   * at once, so this is less than what is used until it has come to where the chain before it ended.
   */
  readonly counted: number;
};

/** The budget of a chain of runs that begins. */
export function freshBudget(limits: Limits, used: UsedSoFar): Budget {
  return { limits, used, counted: 0 };
}

/** The kinds that are used up: nothing more may be begun that costs something. */
export function usedUp({ limits, used }: Pick<Budget, 'limits' | 'used'>): BudgetKind[] {
  return budgetKinds.filter((kind) => used[kind] >= (limits[kind] ?? Infinity));
}

/** After a step that has cost tokens. */
export function withTokens(budget: Budget, tokens: number): Budget {
  const counted = budget.counted + tokens;
  return { ...budget, counted, used: { ...budget.used, tokens: Math.max(budget.used.tokens, counted) } };
}

/** @param onDevice whether the phase is one that uses the device */
export function withTime(budget: Budget, seconds: number, onDevice: boolean): Budget {
  const { used } = budget;
  return {
    ...budget,
    used: {
      tokens: used.tokens,
      device_seconds: used.device_seconds + (onDevice ? seconds : 0),
      wall_seconds: used.wall_seconds + seconds,
    },
  };
}

/** The greater of two counts of the same experiment, kind by kind: each of them may lag behind, and none is too high. */
export function further(a: UsedSoFar, b: UsedSoFar): UsedSoFar {
  return {
    tokens: Math.max(a.tokens, b.tokens),
    device_seconds: Math.max(a.device_seconds, b.device_seconds),
    wall_seconds: Math.max(a.wall_seconds, b.wall_seconds),
  };
}

/** What several experiments have used together. */
export function together(all: readonly UsedSoFar[]): UsedSoFar {
  return all.reduce(
    (sum, each) => ({
      tokens: sum.tokens + each.tokens,
      device_seconds: sum.device_seconds + each.device_seconds,
      wall_seconds: sum.wall_seconds + each.wall_seconds,
    }),
    nothingUsed,
  );
}

/** For how long there may be work until a limit of time is reached; Infinity without such a limit. */
export function secondsWithin({ limits, used }: Budget, onDevice: boolean): number {
  const left = (kind: BudgetKind): number => (limits[kind] ?? Infinity) - used[kind];
  return Math.min(left('wall_seconds'), onDevice ? left('device_seconds') : Infinity);
}

/** Settings that would let an experiment go on: twice the limits that are used up, and more than what is used. */
export function raisedLimits(budget: Pick<Budget, 'limits' | 'used'>): Limits {
  const raised = usedUp(budget).map((kind): [BudgetKind, number] => {
    const limit = budget.limits[kind] ?? 0;
    return [kind, Math.ceil(Math.max(2 * limit, budget.used[kind] + limit))];
  });
  return Object.fromEntries(raised);
}

/** The limits after a request that names those that change; null removes one. */
export function withLimits(limits: Limits, given: Readonly<Record<string, unknown>>): Limits {
  const changed = budgetKinds.map((kind): [BudgetKind, number | undefined] => {
    const value = kind in given ? given[kind] : limits[kind];
    return [kind, typeof value === 'number' ? value : undefined];
  });
  return Object.fromEntries(changed.filter(([, value]) => value !== undefined));
}
