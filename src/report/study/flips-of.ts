import type { Ratio } from '../../algorithm/measures/tests.ts';
import { commonIterations } from './contender.ts';
import type { MeasuredCell } from './measure-cell.ts';
import { pooledRatio } from './pooled-ratio.ts';

/** What agents did with their answers between two rounds, after an iteration. Shares, the seeds pooled; see RoundChange. */
export type FlipRow = {
  readonly iteration: number;
  /** The later of the two rounds. */
  readonly round: number;
} & { readonly [share in FlipShare]: Ratio | null };

type FlipShare =
  | 'rightToRight'
  | 'rightToWrong'
  | 'wrongToRight'
  | 'wrongToWrong'
  | 'corrected'
  | 'spoilt'
  | 'conformed';

/** Of one method's experiments; none when there is one round. */
export function flipsOf(cells: readonly MeasuredCell[]): FlipRow[] {
  return Array.from({ length: commonIterations(cells) }, (_, iteration) => iteration).flatMap((iteration) => {
    const changes = cells.map(({ iterations }) => iterations[iteration]?.measures.changes ?? []);
    const rounds = Math.max(...changes.map(({ length }) => length));
    return Array.from({ length: rounds }, (_, index) => {
      const share = (name: FlipShare) => pooledRatio(changes.map((ofSeed) => ofSeed[index]?.[name]));
      return {
        iteration,
        round: index + 2,
        rightToRight: share('rightToRight'),
        rightToWrong: share('rightToWrong'),
        wrongToRight: share('wrongToRight'),
        wrongToWrong: share('wrongToWrong'),
        corrected: share('corrected'),
        spoilt: share('spoilt'),
        conformed: share('conformed'),
      };
    });
  });
}
