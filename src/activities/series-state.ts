import type { Agent } from '../algorithm/agents.ts';
import type { HeldOutQuestion } from '../algorithm/question.ts';
import { modelsOf } from '../store/agent-models.ts';
import type { ModelRef } from '../store/model-ref.ts';
import type { NightEntry, NightStart } from '../store/night.ts';
import type { Before } from '../tasks/load-night.ts';

/** What a series has come to: what the next night goes on from. */
export type SeriesState = {
  /** The last night that counts; 0 for none. */
  readonly head: number;
  readonly start: NightStart;
  readonly before: Before | null;
};

/**
 * Reads a ledger up to some night. The nights that count form a chain, each begun from the one before it; a night that another one
 * has overtaken is in the ledger too, but nothing follows from it.
 *
 * @param agents those that the first night begins with
 * @param heldOut the series' own; not looked at before its first night
 */
export function seriesState(
  ledger: readonly NightEntry[],
  agents: readonly Agent<ModelRef>[],
  heldOut: readonly HeldOutQuestion[],
): SeriesState {
  const counting = ledger.filter(({ next }) => next !== null);
  const last = counting.at(-1);
  if (last === undefined || last.next === null) {
    const start = { night: null, agents: modelsOf(agents), evaluated: null };
    return { head: 0, start, before: null };
  }
  return {
    head: last.sequence,
    start: last.next,
    before: { asked: counting.flatMap(({ asked }) => asked), position: last.position, heldOut },
  };
}
