/** Are there enough held-out questions for the decisions that depend on them? */
import { guardPower } from '../../algorithm/measures/comparison.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import type { Warning } from '../../store/records/result.ts';
import { counted } from '../../text/figures.ts';

type Sample = {
  readonly config: Pick<ExperimentConfig, 'carry_over'>;
  /** How many held-out questions there are. */
  readonly heldOut: number;
};

/** A guard that would reject nights for no reason. */
export function smallGuard({ config: { carry_over: night }, heldOut }: Sample): Warning[] {
  if (night === undefined || heldOut === 0) return [];
  const { falseRejection } = guardPower(heldOut, night.max_drop);
  return falseRejection < 0.15
    ? []
    : [{ kind: 'small guard', says: guardInWords(heldOut, night.max_drop), remedy: moreHeldOut }];
}

const moreHeldOut = 'Hold out more questions (task.test_size).';

/** What the guard of a series can detect with its held-out questions, as sentences. */
export function guardInWords(heldOut: number, maxDrop: number): string {
  const { oneQuestion, falseRejection, detectable } = guardPower(heldOut, maxDrop);
  return (
    `With ${counted(heldOut, 'held-out question')} one question is ${inPoints(oneQuestion)} points, and max_drop is ${inPoints(maxDrop)}: ` +
    `about ${Math.round(100 * falseRejection)} % of nights that change nothing would be rejected by chance, and only a loss of ` +
    `${inPoints(detectable)} points or more is found in four of five nights (if a fifth of the answers differ from night to night by chance).`
  );
}

/** Too few questions to see a gain. */
export function smallSample({ heldOut }: Pick<Sample, 'heldOut'>): Warning[] {
  if (heldOut === 0 || heldOut >= enoughHeldOut) return [];
  // 1.96 standard deviations of the difference on the same questions: see guardPower.
  const { deviation } = guardPower(heldOut, 0);
  const says = `There are only ${counted(heldOut, 'held-out question')}: a difference of less than about ${Math.round(196 * deviation)} points between two evaluations may be chance.`;
  return [{ kind: 'small sample', says, remedy: moreHeldOut }];
}

const enoughHeldOut = 100;

function inPoints(share: number): string {
  return (100 * share).toFixed(1);
}
