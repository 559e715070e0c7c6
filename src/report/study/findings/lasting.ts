import { percent } from '../../format.ts';
import type { Column, Row } from '../analyse-study.ts';
import { type Finding, finding } from './finding.ts';
import { differenceSaid } from './said.ts';

/** Whether each method's gains last when it goes on. Nothing for studies of one iteration. */
export function lasting({ rows }: Column): Finding[] {
  const gone = rows.flatMap((row) => {
    const { change = null, verdict = 'one iteration', best = 0 } = row.endurance ?? {};
    return change === null ? [] : [{ row, change, verdict, best }];
  });
  const of = (verdict: string) =>
    gone
      .filter((each) => each.verdict === verdict)
      .map(({ row, change, best }) => `${row.title}: ${differenceSaid(change)}${bestSaid(row, best)}`);
  const [rose, fell, neither] = [of('rose'), of('fell'), of('neither')];
  return [
    ...(rose.length === 0
      ? []
      : [finding('From the first iteration to the last, these went on gaining:', rose)]),
    ...(fell.length === 0 ? [] : [finding('From the first iteration to the last, these fell:', fell)]),
    ...(neither.length === 0
      ? []
      : [finding('From the first iteration to the last, these neither clearly gained nor fell:', neither)]),
  ];
}

function bestSaid({ curve }: Row, best: number): string {
  const [there, end] = [curve[best]?.accuracy ?? NaN, curve.at(-1)?.accuracy ?? NaN];
  return best === curve.length - 1
    ? ', and best at the end'
    : `; best after iteration ${best} (${percent(there)}, at the end ${percent(end)})`;
}
