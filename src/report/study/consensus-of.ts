import type { Ratio } from '../../algorithm/measures/tests.ts';
import { commonIterations } from './contender.ts';
import type { MeasuredCell } from './measure-cell.ts';
import { pooledRatio } from './pooled-ratio.ts';

/** How far a method's agents agree on held-out questions after an iteration, the seeds pooled. */
export type ConsensusRow = {
  readonly iteration: number;
  /** Of last answers: the share that agrees with the majority. */
  readonly consensusShare: Ratio | null;
  /** Of questions: those whose last answers are all equal. */
  readonly unanimous: Ratio | null;
  /** Of questions: those that any of the N first answers gets right, and those that their majority does. */
  readonly passAtN: Ratio | null;
  readonly majAtN: Ratio | null;
};

export function consensusOf(cells: readonly MeasuredCell[]): ConsensusRow[] {
  return Array.from({ length: commonIterations(cells) }, (_, iteration) => {
    const measured = cells.flatMap(({ iterations }) => iterations[iteration]?.measures ?? []);
    return {
      iteration,
      consensusShare: pooledRatio(measured.map(({ consensusShare }) => consensusShare)),
      unanimous: pooledRatio(measured.map(({ unanimous }) => unanimous)),
      passAtN: pooledRatio(measured.map(({ passAtK }) => passAtK.at(-1))),
      majAtN: pooledRatio(measured.map(({ majAtK }) => majAtK.at(-1))),
    };
  });
}
