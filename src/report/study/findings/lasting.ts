import { percent } from '../../format.ts';
import type { Column, Row } from '../analyse-study.ts';
import { differenceSaid, listed } from './said.ts';

/** Whether each method's gains last when it goes on. Nothing for studies of one iteration. */
export function lasting({ rows }: Column): string[] {
  const gone = rows.flatMap((row) => {
    const { change = null, verdict = 'one iteration', best = 0 } = row.endurance ?? {};
    return change === null ? [] : [{ row, change, verdict, best }];
  });
  const said = ({ row, change }: (typeof gone)[number]) => `${row.title} (${differenceSaid(change)})`;
  const of = (verdict: string) => gone.filter((each) => each.verdict === verdict).map(said);
  const [rose, fell, neither] = [of('rose'), of('fell'), of('neither')];
  if (gone.length === 0) return [];
  const parts = [
    ...(rose.length === 0 ? [] : [`${listed(rose)} went on gaining`]),
    ...(fell.length === 0 ? [] : [`${listed(fell)} fell`]),
    ...(neither.length === 0 ? [] : [`${listed(neither)} showed neither`]),
  ];
  const early = gone.filter(({ row, best }) => best < row.curve.length - 1);
  return [
    `From the first iteration to the last, ${parts.join('; ')}.`,
    ...(early.length === 0
      ? []
      : [
          `The best iteration was not the last for ${listed(early.map(({ row, best }) => `${row.title} (iteration ${best}: ${percent(row.curve[best]?.accuracy ?? NaN)}, at the end ${endOf(row)})`))}.`,
        ]),
  ];
}

function endOf({ curve }: Row): string {
  return percent(curve.at(-1)?.accuracy ?? NaN);
}
