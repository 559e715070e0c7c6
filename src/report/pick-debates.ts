import type { Debate } from '../algorithm/debate.ts';
import type { Outcome } from '../algorithm/evaluation.ts';

/** What a debate did to the answer. */
export type DebateKind = 'right' | 'saved' | 'spoilt' | 'tied' | 'wrong';

/** A debate of the last evaluation, with what came of it and what the base model's debate had come to. */
export type DebateToRead = {
  readonly kind: DebateKind;
  readonly debate: Debate;
  readonly outcome: Outcome;
  readonly base: Outcome | undefined;
};

/**
 * A few debates of each kind, the first ones in the questions' order: nobody has chosen them for their looks.
 *
 * @param outcomes of the last evaluation
 * @param base outcomes of the base model on the same questions
 * @param debates of the last evaluation; read only as far as needed
 */
export async function pickDebates(
  outcomes: readonly Outcome[],
  base: readonly Outcome[],
  debates: AsyncIterable<Debate>,
  perKind = 2,
): Promise<DebateToRead[]> {
  const byId = new Map(outcomes.map((outcome) => [outcome.questionId, outcome]));
  const baseById = new Map(base.map((outcome) => [outcome.questionId, outcome]));
  const picked = new Map<DebateKind, DebateToRead[]>(debateKinds.map((kind) => [kind, []]));
  for await (const debate of debates) {
    const outcome = byId.get(debate.question.id);
    if (outcome === undefined) continue;
    const kind = kindOf(debate, outcome);
    const ofKind = kind === undefined ? undefined : picked.get(kind);
    if (kind !== undefined && ofKind !== undefined && ofKind.length < perKind) {
      ofKind.push({ kind, debate, outcome, base: baseById.get(outcome.questionId) });
    }
    if ([...picked.values()].every(({ length }) => length === perKind)) break;
  }
  return [...picked.values()].flat();
}

const debateKinds: readonly DebateKind[] = ['saved', 'spoilt', 'tied', 'right', 'wrong'];

/** Undefined for what is neither one nor the other, e.g. right by majority but not by every agent. */
function kindOf(debate: Debate, outcome: Outcome): DebateKind | undefined {
  if (debate.consensus.tied > 1) return 'tied';
  if (outcome.debate.correct !== outcome.majority.correct) return outcome.debate.correct ? 'saved' : 'spoilt';
  if (!outcome.debate.correct) return 'wrong';
  return outcome.single.every(({ correct }) => correct) ? 'right' : undefined;
}
