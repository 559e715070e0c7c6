import type { Evaluation } from '../algorithm/evaluation.ts';
import { percent, points } from '../report/format.ts';
import type { NightOutcome } from '../store/experiment-result.ts';
import type { NightEntry, NightPlan } from '../store/night.ts';

/**
 * Decides what becomes of a night, and says so. It is carried on unless another night that began with the same agents was finished
 * first, or its held-out debate accuracy fell by more than `maxDrop`.
 *
 * @param ledger the series' finished nights, without this one
 * @param evaluations of the night: first of the agents that it began with
 */
export function nightVerdict(
  { series, head, start }: NightPlan,
  ledger: readonly NightEntry[],
  evaluations: readonly Evaluation[],
  maxDrop: number,
): NightOutcome {
  const sequence = ledger.length + 1;
  const tell = (outcome: NightOutcome['outcome'], said: string): NightOutcome => ({
    series,
    sequence,
    from: start.night,
    outcome,
    said: `Night ${sequence} of the series ${series}: ${said}`,
  });
  const from = start.night === null ? 'the base model' : `the agents of ${start.night}`;
  const begin = evaluations[0]?.debate.accuracy ?? 0;
  const end = evaluations.at(-1)?.debate.accuracy ?? 0;
  const change = `${percent(begin)} to ${percent(end)} (${points(end - begin)} points)`;
  const first = ledger.find(({ next, sequence }) => next !== null && sequence > head);
  if (first !== undefined) {
    return tell(
      'overtaken',
      `not carried on, because ${first.experiment} was finished first and began with ${from}, too. ` +
        `Held-out debate accuracy went from ${change}. The models of this night are kept.`,
    );
  }
  // A rounding error of the subtraction is no fall.
  if (begin - end > maxDrop + 1e-9) {
    return tell(
      'fell',
      `not carried on, because held-out debate accuracy fell from ${change}, by more than the ${(maxDrop * 100).toFixed(1)} ` +
        `points of max_drop. The models of this night are kept; the next one begins again with ${from}, and with fresh questions.`,
    );
  }
  return tell('accepted', `carried on. Held-out debate accuracy went from ${change}.`);
}
