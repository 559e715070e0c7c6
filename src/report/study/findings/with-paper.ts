import { percent, points } from '../../format.ts';
import type { Column } from '../analyse-study.ts';
import { type Finding, finding } from './finding.ts';

/** How many of a column's figures agree with the paper's, and which do not. Nothing where the paper has no such experiment. */
export function withPaper({ rows }: Column): Finding[] {
  const beside = rows.flatMap(({ title, learns, own }) =>
    (own?.agreements ?? []).flatMap((each, iteration) =>
      each === null ? [] : [{ ...each, name: learns ? `${title} after iteration ${iteration}` : title }],
    ),
  );
  if (beside.length === 0) return [];
  const apart = beside.filter(({ agrees }) => !agrees);
  const agreeing = `${beside.length - apart.length} of ${beside.length} figures agree with the paper’s within error`;
  return [
    apart.length === 0
      ? finding(`${agreeing}.`)
      : finding(
          `${agreeing}; these do not:`,
          apart.map(
            ({ name, published, difference }) =>
              `${name}: paper ${percent(published.accuracy)}, ours ${points(difference)} points`,
          ),
        ),
  ];
}
