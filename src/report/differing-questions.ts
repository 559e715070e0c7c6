import { join } from 'node:path';
import type { Outcome } from '../algorithm/evaluation.ts';
import { evaluationRowSchema } from '../store/records/rows.ts';
import { streamRows } from '../store/files/rows.ts';
import { questionKey } from '../questions/problem.ts';
import type { EvaluatedExperiment } from './evaluated-experiment.ts';

/** A question that the debates of only one of two experiments got right. */
export type DifferingQuestion = {
  readonly right: 'a' | 'b';
  readonly a: Outcome;
  readonly b: Outcome;
};

/**
 * The common questions on which the debates of two experiments after an iteration were not both right or both wrong, in the order of the first one's
 * questions. The texts are read anew, so that only those of these questions are held.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function differingQuestions(
  a: EvaluatedExperiment,
  b: EvaluatedExperiment,
  iteration: number,
): Promise<DifferingQuestion[]> {
  const [marksOfA, marksOfB] = [a.marks.get(iteration), b.marks.get(iteration)];
  const keys = new Set(
    [...(marksOfA ?? [])]
      .filter(([key, { debate }]) => marksOfB?.has(key) && marksOfB.get(key)?.debate !== debate)
      .map(([key]) => key),
  );
  const [ofA, ofB] = [await outcomesOf(a, iteration, keys), await outcomesOf(b, iteration, keys)];
  return [...ofA].flatMap(([key, outcome]) => {
    const other = ofB.get(key);
    return other === undefined ? [] : [{ right: outcome.debate.correct ? 'a' : 'b', a: outcome, b: other }];
  });
}

async function outcomesOf(
  { folder }: EvaluatedExperiment,
  iteration: number,
  keys: ReadonlySet<string>,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for await (const { iteration: at, ...outcome } of streamRows(
    join(folder, 'evaluation.jsonl'),
    evaluationRowSchema,
  )) {
    const key = questionKey(outcome.question);
    if (at === iteration && keys.has(key)) outcomes.set(key, outcome);
  }
  return outcomes;
}
