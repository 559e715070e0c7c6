import type { Ratio } from '../../../algorithm/measures/ratio.ts';
import { count, percent } from '../../format.ts';
import type { Column, Row, StudyAnalysis } from '../analyse-study.ts';
import type { DiversityMeasure } from '../diversity-of.ts';
import { listed } from './said.ts';

/** What the measures show beside the accuracies, for the reference and the methods that learn. No cause is claimed. */
export function explained({ reference }: StudyAnalysis, column: Column): string[] {
  const row = column.rows.find(({ key }) => key === reference);
  return [
    ...(row === undefined ? [] : [...flipsSaid(row), ...learntFrom(row)]),
    ...diversitySaid(column, reference),
  ];
}

function flipsSaid({ title, own, curve }: Row): string[] {
  const last = curve.length - 1;
  const at = own?.flips.filter(({ iteration }) => iteration === last).at(-1);
  if (at === undefined || at.corrected === null || at.spoilt === null) return [];
  const conformed =
    at.conformed === null
      ? ''
      : ` Of answers that stood against the other agents’ majority, ${percent(at.conformed.value)} went over to it.`;
  return [
    `In the last round of ${title}${last === 0 ? '' : ', after its last iteration,'} ${percent(at.corrected.value)} of wrong answers became right and ${percent(at.spoilt.value)} of right ones wrong: ${percent(at.wrongToRight?.value ?? NaN)} and ${percent(at.rightToWrong?.value ?? NaN)} of all answers.${conformed}`,
  ];
}

function learntFrom({ title, own }: Row): string[] {
  const [first, last] = [own?.votes[0], own?.votes.at(-1)];
  if (own === null || first === undefined || last === undefined) return [];
  const smallest = Math.min(...own.datasets.map(({ fewest }) => fewest));
  const unanimous =
    first === last
      ? `agreed at once on ${percent(first.unanimous)}`
      : `agreed at once on ${percent(first.unanimous)} in the first iteration and ${percent(last.unanimous)} in the last`;
  return [
    `Of the training questions the agents of ${title} ${unanimous}; the smallest dataset of a model had ${count(smallest)} rows.`,
  ];
}

/** Whether the reference's agents stay more diverse than those of the other methods with a measured diversity. */
function diversitySaid({ rows }: Column, reference: string): string[] {
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
    const than = (verdict: string) =>
      told
        .filter(({ row, to }) => row.key !== reference && apart(mine, to) === verdict)
        .map(({ row }) => row.title);
    const [higher, lower, alike] = [than('higher'), than('lower'), than('alike')];
    const verdicts = [
      ...(higher.length === 0 ? [] : [`higher than ${listed(higher)}`]),
      ...(lower.length === 0 ? [] : [`lower than ${listed(lower)}`]),
      ...(alike.length === 0 ? [] : [`not shown to differ from ${listed(alike)}`]),
    ];
    const course = told.map(({ row, from, to }) => `${row.title} ${number(from)} to ${number(to)}`);
    return [
      `${name}, from the first iteration to the last: ${listed(course)}. At the end ${own?.row.title ?? ''} is ${listed(verdicts)} (by 1.96 standard errors, not corrected).`,
    ];
  });
}

const measures: readonly { readonly measure: DiversityMeasure; readonly name: string }[] = [
  { measure: 'dissimilarity', name: 'Embedding dissimilarity between the agents’ first answers' },
  { measure: 'nllOfOthers', name: 'Negative log-likelihood of the other agents’ answers' },
];

function apart(mine: Ratio, other: Ratio): 'higher' | 'lower' | 'alike' {
  const difference = mine.value - other.value;
  if (Math.abs(difference) <= 1.96 * Math.hypot(mine.standardError, other.standardError)) return 'alike';
  return difference > 0 ? 'higher' : 'lower';
}

function number({ value }: Ratio): string {
  return value.toFixed(3);
}
