import type { Debate } from '../../algorithm/debate.ts';
import type { Mark, Outcome } from '../../algorithm/evaluation.ts';
import { isUnreadable, ArtifactMissing } from '../../store/errors.ts';
import { streamRows } from '../../store/files/rows.ts';
import { outcomeSchema, readDebates } from '../../store/records/rows.ts';
import type { ExperimentFiles } from '../../store/store.ts';

/**
 * The held-out debates of an iteration, each with its outcome, one shard in memory at a time. Outcomes are held without the
 * questions' texts, which may be larger than memory.
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

/**
 * Items up to the first artifact that is damaged or missing; its error is added to `problems`. For pages that are useful in part: an
 * experiment's result must not wait until an old debate is held again.
 */
export async function* untilDamaged<Item>(
  items: AsyncIterable<Item>,
  problems: Error[],
): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (error) {
    if (!(isUnreadable(error) || error instanceof ArtifactMissing)) throw error;
    problems.push(error);
  }
}

/** What a debate did to the answer. */
export type DebateKind = 'right' | 'saved' | 'spoilt' | 'tied' | 'wrong';

export type PickedDebate = { readonly kind: DebateKind; readonly debate: Debate };

/**
 * A few debates of each kind: the first ones in the order of the questions, so that the choice is not made by hand.
 *
 * @param marks of the last evaluation, by question id
 * @param debates of the last evaluation; read only as far as needed
 */
export async function pickDebates(
  marks: ReadonlyMap<string, Mark>,
  debates: AsyncIterable<Debate>,
  perKind = 2,
): Promise<PickedDebate[]> {
  const picked = new Map<DebateKind, PickedDebate[]>(debateKinds.map((kind) => [kind, []]));
  for await (const debate of debates) {
    const mark = marks.get(debate.question.id);
    if (mark === undefined) continue;
    const kind = kindOf(debate, mark);
    const ofKind = kind === undefined ? undefined : picked.get(kind);
    if (kind !== undefined && ofKind !== undefined && ofKind.length < perKind) ofKind.push({ kind, debate });
    if ([...picked.values()].every(({ length }) => length === perKind)) break;
  }
  return [...picked.values()].flat();
}

const debateKinds: readonly DebateKind[] = ['saved', 'spoilt', 'tied', 'right', 'wrong'];

/** Undefined for a debate of no kind, e.g. one that is right by majority although an agent was wrong. */
function kindOf(debate: Debate, mark: Mark): DebateKind | undefined {
  if (debate.consensus.tied > 1) return 'tied';
  if (mark.debate !== mark.majority) return mark.debate ? 'saved' : 'spoilt';
  if (!mark.debate) return 'wrong';
  return mark.single.right === mark.single.of ? 'right' : undefined;
}
