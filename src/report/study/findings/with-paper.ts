import { percent, points } from '../../format.ts';
import type { Column } from '../analyse-study.ts';
import { listed } from './said.ts';

/** How many of a column's figures agree with the paper's, and which do not. Nothing where the paper has no such experiment. */
export function withPaper({ rows }: Column): string[] {
  const beside = rows.flatMap(({ title, learns, own }) =>
    (own?.agreements ?? []).flatMap((each, iteration) =>
      each === null ? [] : [{ ...each, name: learns ? `${title} after iteration ${iteration}` : title }],
    ),
  );
  if (beside.length === 0) return [];
  const apart = beside.filter(({ agrees }) => !agrees);
  const told = apart.map(
    ({ name, published, difference }) =>
      `${name} (paper ${percent(published.accuracy)}, ours ${points(difference)} points)`,
  );
  return [
    `${beside.length - apart.length} of ${beside.length} figures agree with the paper’s within error.${told.length === 0 ? '' : ` Those that do not: ${listed(told)}.`}`,
  ];
}
