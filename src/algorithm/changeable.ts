/**
 * The settings that may change while an experiment runs, because no finished work depends on them: each is read by one kind of step of an
 * iteration, and a change holds for the steps of that kind that are not done yet.
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
