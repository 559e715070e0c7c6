import type { Debate } from '../../algorithm/debate.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { outcomeSchema, readDebates } from '../../store/records/rows.ts';
import type { ExperimentFiles } from '../../store/store.ts';
import { streamRows } from '../../store/files/rows.ts';

/**
 * The held-out debates of an iteration, each with what came of it, a shard in memory at a time. Outcomes are held without the
 * questions' texts, of which there may be more than memory.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* heldOutDebates(
  files: ExperimentFiles,
  iteration: number,
): AsyncGenerator<{ readonly debate: Debate; readonly outcome: Outcome }> {
  const outcomes = new Map<string, Outcome>();
  for await (const row of streamRows(files.outcomes(iteration), outcomeSchema))
    outcomes.set(row.questionId, { ...row, question: '' });
  for await (const debate of readDebates(files.debates(iteration, 'heldout'))) {
    const outcome = outcomes.get(debate.question.id);
    if (outcome !== undefined) yield { debate, outcome };
  }
}
