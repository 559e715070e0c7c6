import type { Debate } from '../algorithm/debate.ts';
import type { Outcome } from '../algorithm/evaluation.ts';

/** Whether an answer within a debate was right; unknown when nothing that was graded tells. */
export type Verdict = 'right' | 'wrong' | 'unknown';

/**
 * Only round 1 and the votes were compared with the gold answer. An answer of a later round is judged by an equal one that was, and else
 * by whether it agrees with the consensus.
 *
 * @param agent 0 the first
 * @param round 1 the first
 */
export function verdictOf(debate: Debate, outcome: Outcome, agent: number, round: number): Verdict {
  const answer = debate.answers[agent]?.[round - 1] ?? null;
  if (answer === null) return 'wrong';
  if (answer === outcome.gold) return 'right';
  const graded = [...outcome.single, outcome.majority, outcome.debate].find((each) => each.answer === answer);
  if (graded !== undefined) return graded.correct ? 'right' : 'wrong';
  const agrees = debate.agrees[agent]?.[round - 1] === true;
  if (outcome.debate.correct) return agrees ? 'right' : 'wrong';
  return agrees ? 'wrong' : 'unknown';
}
