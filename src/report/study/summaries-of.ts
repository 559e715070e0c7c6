import type { SummaryEffect } from '../../algorithm/measures/flips.ts';
import { methods } from '../../algorithm/methods/methods.ts';
import { compare, type PairedDifference } from './compare.ts';
import { commonIterations, pooled } from './contender.ts';
import type { MeasuredCell } from './measure-cell.ts';
import { pooledRatio } from './pooled-ratio.ts';

/** What became of answers after summaries were shown, the seeds pooled. */
export type SummaryRow = SummaryEffect & {
  readonly iteration: number;
  /** The debates with summaries against those of the method that differs by them alone; null where the study has no such one. */
  readonly versusWithout: PairedDifference | null;
};

/** Of one method's experiments, where its debates have summaries: before any training, and after the last iteration. */
export function summariesOf(
  column: string,
  cells: readonly MeasuredCell[],
  others: readonly MeasuredCell[],
): SummaryRow[] {
  const without = others.filter((other) => cells.some((own) => differBySummaryAlone(own, other)));
  const last = Math.min(commonIterations(cells), commonIterations(without)) - 1;
  return [...new Set([0, last])].flatMap((iteration) => {
    const effects = cells.flatMap(({ iterations }) => iterations[iteration]?.summaries ?? []);
    if (effects.length === 0) return [];
    const scores = (each: readonly MeasuredCell[]) =>
      pooled(each.map(({ iterations }) => iterations[iteration]?.scores));
    return [
      {
        iteration,
        helped: pooledRatio(effects.map(({ helped }) => helped)),
        harmed: pooledRatio(effects.map(({ harmed }) => harmed)),
        net: pooledRatio(effects.map(({ net }) => net)),
        versusWithout: compare(
          scores(cells),
          scores(without),
          [column, 'summaries', cells[0]?.method, iteration].join(' '),
        ),
      },
    ];
  });
}

/** Whether a method is another one without its summaries: it debates, answers and learns alike. */
function differBySummaryAlone(own: MeasuredCell, other: MeasuredCell): boolean {
  const [mine, its] = [methods[own.method], methods[other.method]];
  return (
    mine.answer === its.answer &&
    mine.learning === its.learning &&
    mine.stance === its.stance &&
    mine.identified === its.identified &&
    own.config.summarize &&
    !other.config.summarize
  );
}
