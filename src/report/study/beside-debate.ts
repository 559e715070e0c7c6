import { accuracy } from '../../algorithm/measures/answers.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import { compare, type PairedDifference } from './compare.ts';
import { commonIterations, pooled } from './contender.ts';
import type { MeasuredCell } from './measure-cell.ts';

/** A debate beside the majority of as many first answers as cost the same tokens, by the same agents. */
export type BesideDebate = {
  readonly iteration: number;
  /** Of how many answers, by seed. */
  readonly votes: readonly number[];
  readonly debate: number;
  readonly majority: number;
  /** The debate less the majority. */
  readonly difference: PairedDifference;
};

/** Of one method's experiments, where it debates and has such a majority: before any training, and after the last iteration. */
export function besideDebate(column: string, cells: readonly MeasuredCell[]): BesideDebate[] {
  const method = cells[0]?.method;
  if (method === undefined || methods[method].answer !== 'debate') return [];
  return [...new Set([0, commonIterations(cells) - 1])].flatMap((iteration) => {
    const both = cells.flatMap(({ iterations }) => {
      const { scores, votes = null } = iterations[iteration] ?? {};
      return scores === undefined || votes === null ? [] : [{ scores, votes }];
    });
    const debate = pooled(both.map(({ scores }) => scores));
    const majority = pooled(both.map(({ votes }) => votes.scores));
    const difference = compare(debate, majority, [column, 'equal tokens', method, iteration].join(' '));
    if (difference === null) return [];
    const mean = (scores: typeof debate): number =>
      accuracy([...scores.values()].map(({ score }) => score)).accuracy;
    return [
      {
        iteration,
        votes: both.map(({ votes }) => votes.count),
        debate: mean(debate),
        majority: mean(majority),
        difference,
      },
    ];
  });
}
