import { join } from 'node:path';
import type { Debate } from '../../algorithm/debate.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { outcomeSchema } from '../../store/records/rows.ts';
import { streamRows } from '../../store/files/rows.ts';
import { readDebates } from '../read-debates.ts';

/**
 * The held-out debates of an iteration, each with what came of it, a shard in memory at a time. Outcomes are held without the
 * questions' texts, of which there may be more than memory.
 *
 * @param folder of the experiment
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function* heldOutDebates(
  folder: string,
  iteration: number,
): AsyncGenerator<{ readonly debate: Debate; readonly outcome: Outcome }> {
  const within = join(folder, `iteration-${iteration}`);
  const outcomes = new Map<string, Outcome>();
  for await (const row of streamRows(join(within, 'outcomes.jsonl'), outcomeSchema))
    outcomes.set(row.questionId, { ...row, question: '' });
  for await (const debate of readDebates(join(within, 'evaluation'))) {
    const outcome = outcomes.get(debate.question.id);
    if (outcome !== undefined) yield { debate, outcome };
  }
}
