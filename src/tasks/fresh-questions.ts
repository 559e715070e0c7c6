import type { Problem } from './problem.ts';
import { questionKey } from './question-key.ts';
import type { QuestionPool } from './question-pool.ts';

/** Questions that a night has asked, all in one cycle through the pool: named by `questionKey`. */
export type Asked = { readonly cycle: number; readonly keys: readonly string[] };

/** The next questions of a series, and what to remember of them. */
export type FreshQuestions = { readonly problems: readonly Problem[]; readonly asked: readonly Asked[] };

/**
 * The next `size` questions of the pool: none twice until all were asked; then a new cycle begins, in another order. What was
 * asked is known by text and not by place, so that a pool may grow, shrink or change its order between two nights.
 *
 * @param before what the nights before have asked
 * @param size at most the pool's
 */
export function freshQuestions(pool: QuestionPool, before: readonly Asked[], size: number): FreshQuestions {
  const problems: Problem[] = [];
  const asked: Asked[] = [];
  const ofThisNight = new Set<string>();
  for (let cycle = Math.max(0, ...before.map((each) => each.cycle)); problems.length < size; cycle++) {
    const known = new Set(before.filter((each) => each.cycle === cycle).flatMap(({ keys }) => keys));
    const keys: string[] = [];
    for (const problem of pool.inOrder(cycle)) {
      if (problems.length === size) break;
      const key = questionKey(problem.text);
      // At the seam of two cycles, the end of the old one is not asked again in the same night.
      if (known.has(key) || ofThisNight.has(key)) continue;
      ofThisNight.add(key);
      keys.push(key);
      problems.push(problem);
    }
    if (keys.length > 0) asked.push({ cycle, keys });
  }
  return { problems, asked };
}
