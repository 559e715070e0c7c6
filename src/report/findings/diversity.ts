import type { Ratio } from '../../algorithm/measures/ratio.ts';
import type { DiversityMeasure, DiversityRow } from '../analyse/diversity.ts';
import type { Contender, Setting } from '../analyse/study.ts';
import { type Finding, findingOfEach } from './finding.ts';

/**
 * Whether the reference's agents stay more diverse than those of other methods. Only methods whose models learn from about as many rows are
 * compared: more rows alone make models surer and more alike.
 */
export function diversityFindings({ contenders }: Setting, reference: string): Finding[] {
  const courses = contenders.flatMap((contender) => {
    const rows = contender.own?.diversity.rows ?? [];
    const [first, last] = [rows.find(({ iteration }) => iteration === 1), rows.at(-1)];
    return first === undefined || last === undefined ? [] : [{ contender, first, last }];
  });
  const own = courses.find(({ contender }) => contender.key === reference);
  return shown.flatMap(({ measure, name, beside }) => {
    const known = courses.flatMap(({ contender, first, last }) => {
      const [from, to] = [first[measure], last[measure]];
      return from === null || to === null ? [] : [{ contender, from, to, more: beside(first, last) }];
    });
    const mine = own?.last[measure] ?? null;
    if (own === undefined || mine === null || known.length < 2) return [];
    return findingOfEach(
      `${name}, from the first iteration to the last, and at the end against ${own.contender.title} (by 1.96 standard errors, not corrected; only methods that learn from as many rows, within a tenth, are compared):`,
      known.map(({ contender, from, to, more }) => {
        const against =
          contender.key === reference
            ? ''
            : `, ${isMatched(own.contender, contender) ? versus(mine, to) : 'other numbers of rows'}`;
        return `${contender.title}: ${from.value.toFixed(3)} to ${to.value.toFixed(3)}${more}${against}`;
      }),
    );
  });
}

const shown: readonly {
  readonly measure: DiversityMeasure;
  readonly name: string;
  readonly beside: (first: DiversityRow, last: DiversityRow) => string;
}[] = [
  {
    measure: 'dissimilarity',
    name: 'Embedding dissimilarity between the agents’ first answers',
    beside: () => '',
  },
  {
    measure: 'nllOfOthers',
    name: 'Negative log-likelihood of the other agents’ answers, which is mostly the models’ own uncertainty (in brackets: of their own answers)',
    beside: ({ nllOfOwn: from }, { nllOfOwn: to }) =>
      from === null || to === null ? '' : ` (${from.value.toFixed(3)} to ${to.value.toFixed(3)})`,
  },
];

/** Whether the generation models of two methods learnt from about the same number of rows in an iteration, on average. */
function isMatched(one: Contender, other: Contender): boolean {
  const [a, b] = [meanRows(one), meanRows(other)];
  return Math.abs(a - b) <= 0.1 * Math.max(a, b);
}

function meanRows({ own }: Contender): number {
  const sizes = (own?.datasets ?? []).filter(({ role }) => role === 'generation').map(({ rows }) => rows);
  return sizes.reduce((sum, each) => sum + each, 0) / Math.max(1, sizes.length);
}

/** Whether the other ratio is above mine. */
function versus(mine: Ratio, other: Ratio): string {
  const difference = other.value - mine.value;
  if (Math.abs(difference) <= 1.96 * Math.hypot(mine.standardError, other.standardError))
    return 'not shown to differ';
  return difference > 0 ? 'higher' : 'lower';
}
