import type { Debate } from '../algorithm/debate.ts';
import type { Mark } from '../algorithm/evaluation.ts';

/** What a debate did to the answer. */
export type DebateKind = 'right' | 'saved' | 'spoilt' | 'tied' | 'wrong';

export type PickedDebate = { readonly kind: DebateKind; readonly debate: Debate };

/**
 * A few debates of each kind, the first ones in the questions' order: nobody has chosen them for their looks.
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

/** Undefined for what is neither one nor the other, e.g. right by majority but not by every agent. */
function kindOf(debate: Debate, mark: Mark): DebateKind | undefined {
  if (debate.consensus.tied > 1) return 'tied';
  if (mark.debate !== mark.majority) return mark.debate ? 'saved' : 'spoilt';
  if (!mark.debate) return 'wrong';
  return mark.single === 1 ? 'right' : undefined;
}
