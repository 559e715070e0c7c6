/**
 * What may a person change while an experiment runs, and when does the experiment wait for a larger budget?
 *
 * Settings may change on which no finished work depends: each is read by one kind of step of an iteration, and a change holds for the steps of
 * that kind that are not done yet. The budget is what the experiment may use, and what it has used: when it is used up, the experiment
 * waits until a person raises it. Nothing here asks a clock.
 */

/** The phases of an iteration, in their order. */
const order = ['debating', 'building datasets', 'fine-tuning', 'evaluating'] as const;

/**
 * By setting, which phase reads it; `always` where a change alters only what could not be done before. A setting with others below it
 * stands for all of them.
 */
export const changeableSettings: Readonly<Record<string, (typeof order)[number] | 'reporting' | 'always'>> = {
  truncate_dialogues: 'always',
  critic_weight: 'building datasets',
  critic_mixture: 'building datasets',
  label_votes: 'building datasets',
  min_votes: 'building datasets',
  max_votes: 'building datasets',
  pairs: 'building datasets',
  min_pairs: 'building datasets',
  label_weight: 'building datasets',
  'fine_tune.objective': 'building datasets',
  fine_tune: 'fine-tuning',
  trainer: 'fine-tuning',
  diversity: 'evaluating',
  'carry_over.max_drop': 'reporting',
  report_to: 'reporting',
};

/** Where an experiment is. Iteration 0 evaluates the base model. */
export type Moment = { readonly iteration: number; readonly phase: string };

/**
 * The first iteration for which a changed setting holds.
 *
 * @param path of a setting, e.g. `fine_tune.learning_rate`
 * @returns null when it cannot be changed, or cannot be changed any more
 */
export function changeHoldsFrom(path: string, { iteration, phase }: Moment): number | null {
  if (path === 'fine_tune.method') return null; // a fine-tune goes on from the model before, which is an adapter or a whole model
  const reader = Object.entries(changeableSettings).find(
    ([setting]) => path === setting || path.startsWith(`${setting}.`),
  )?.[1];
  if (reader === undefined) return null;
  if (reader === 'reporting') return iteration;
  // A distilled model learns as those of its iteration did.
  const now = order.findIndex((each) => each === (phase === 'distilling' ? 'fine-tuning' : phase));
  if (now < 0) return null;
  if (reader === 'always') return iteration;
  const reads = order.indexOf(reader);
  // The datasets of an iteration are mixed from all its debates together; each model, and each measurement, is a step of its own.
  const inTime = reader === 'building datasets' ? now < reads : now <= reads;
  return inTime ? iteration : iteration + 1;
}

/** The settings that may be changed at a moment, for people: `fine_tune.…` is all that is below `fine_tune`. */
export function changeableNow(moment: Moment): string[] {
  return Object.keys(changeableSettings)
    .filter((setting) => changeHoldsFrom(setting, moment) !== null)
    .map((setting) => (['fine_tune', 'diversity'].includes(setting) ? `${setting}.…` : setting));
}

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
