import { compare, type PairedDifference } from './compare.ts';
import type { Contender } from './contender.ts';
import type { CurvePoint } from './curve.ts';

/** Whether what a method gained lasts when it goes on. */
export type Endurance = {
  /** The iteration of the highest accuracy, the base model not counted; the first of equal ones. */
  readonly best: number;
  /** The last iteration against the first, on the same questions; null when there is but one. */
  readonly change: PairedDifference | null;
  /** What the change's interval says: it has no 0 in it, or it has. */
  readonly verdict: 'rose' | 'fell' | 'neither' | 'one iteration';
};

/** Null for what learns nothing, or was never trained. */
export function endurance(
  { key, learns, scores }: Contender,
  points: readonly CurvePoint[],
  column: string,
): Endurance | null {
  const trained = points.slice(1);
  const best = trained.reduce<CurvePoint | undefined>(
    (top, point) => (top === undefined || point.accuracy > top.accuracy ? point : top),
    undefined,
  );
  const [, first] = scores;
  const last = scores.at(-1);
  if (!learns || best === undefined || first === undefined || last === undefined) return null;
  const change = trained.length < 2 ? null : compare(last, first, [column, 'endurance', key].join(' '));
  return { best: best.iteration, change, verdict: verdict(change) };
}

function verdict(change: PairedDifference | null): Endurance['verdict'] {
  if (change === null) return 'one iteration';
  if (change.low > 0) return 'rose';
  return change.high < 0 ? 'fell' : 'neither';
}
