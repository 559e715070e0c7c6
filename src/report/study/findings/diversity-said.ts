import type { Ratio } from '../../../algorithm/measures/tests.ts';
import type { Column } from '../analyse-study.ts';
import type { DiversityMeasure } from '../diversity-of.ts';
import { type Finding, finding } from './finding.ts';

/** Whether the reference's agents stay more diverse than those of the other methods with a measured diversity. */
export function diversitySaid({ rows }: Column, reference: string): Finding[] {
  const measured = rows.flatMap((row) => {
    const points = row.own?.diversity.rows ?? [];
    const [first, last] = [points.find(({ iteration }) => iteration === 1), points.at(-1)];
    return first === undefined || last === undefined ? [] : [{ row, first, last }];
  });
  const own = measured.find(({ row }) => row.key === reference);
  return measures.flatMap(({ measure, name }) => {
    const told = measured.flatMap(({ row, first, last }) => {
      const [from, to] = [first[measure], last[measure]];
      return from === null || to === null ? [] : [{ row, from, to }];
    });
    const mine = own?.last[measure] ?? null;
    if (mine === null || told.length < 2) return [];
    return [
      finding(
        `${name}, from the first iteration to the last, and at the end against ${own?.row.title ?? ''} (by 1.96 standard errors, not corrected):`,
        told.map(({ row, from, to }) => {
          const against = row.key === reference ? '' : `, ${apart(mine, to)}`;
          return `${row.title}: ${number(from)} to ${number(to)}${against}`;
        }),
      ),
    ];
  });
}

const measures: readonly { readonly measure: DiversityMeasure; readonly name: string }[] = [
  { measure: 'dissimilarity', name: 'Embedding dissimilarity between the agents’ first answers' },
  { measure: 'nllOfOthers', name: 'Negative log-likelihood of the other agents’ answers' },
];

/** Of the other. */
function apart(mine: Ratio, other: Ratio): string {
  const difference = other.value - mine.value;
  if (Math.abs(difference) <= 1.96 * Math.hypot(mine.standardError, other.standardError))
    return 'not shown to differ';
  return difference > 0 ? 'higher' : 'lower';
}

function number({ value }: Ratio): string {
  return value.toFixed(3);
}
