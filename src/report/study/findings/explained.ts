import { count, percent } from '../../format.ts';
import type { Column, Row, StudyAnalysis } from '../analyse-study.ts';
import { diversitySaid } from './diversity-said.ts';
import { type Finding, finding } from './finding.ts';
import { worthTheirTokens } from './worth-their-tokens.ts';

/** What the measures show beside the accuracies, for the reference and the methods that learn. No cause is claimed. */
export function explained({ reference }: StudyAnalysis, column: Column): Finding[] {
  const row = column.rows.find(({ key }) => key === reference);
  return [
    ...(row === undefined ? [] : [...flipsSaid(row), ...learntFrom(row)]),
    ...rowsSaid(column),
    ...diversitySaid(column, reference),
    ...worthTheirTokens(column),
  ];
}

function flipsSaid({ title, own, curve }: Row): Finding[] {
  const last = curve.length - 1;
  const at = own?.flips.filter(({ iteration }) => iteration === last).at(-1);
  if (at === undefined || at.corrected === null || at.spoilt === null) return [];
  const conformed =
    at.conformed === null
      ? ''
      : ` Of answers that stood against the other agents’ majority, ${percent(at.conformed.value)} went over to it.`;
  return [
    finding(
      `In the last round of ${title}${last === 0 ? '' : ', after its last iteration,'} ${percent(at.corrected.value)} of wrong answers became right and ${percent(at.spoilt.value)} of right ones wrong: ${percent(at.wrongToRight?.value ?? NaN)} and ${percent(at.rightToWrong?.value ?? NaN)} of all answers.${conformed}`,
    ),
  ];
}

function learntFrom({ title, own }: Row): Finding[] {
  const [first, last] = [own?.votes[0], own?.votes.at(-1)];
  if (own === null || first === undefined || last === undefined) return [];
  const smallest = Math.min(...own.datasets.map(({ fewest }) => fewest));
  const unanimous =
    first === last
      ? `${percent(first.unanimous)} of the questions`
      : `${percent(first.unanimous)} of the questions in the first iteration and on ${percent(last.unanimous)} in the last`;
  return [
    finding(
      `In training, the agents of ${title} were unanimous on ${unanimous}; the smallest dataset of a model had ${count(smallest)} ${smallest === 1 ? 'row' : 'rows'}.`,
    ),
  ];
}

/** Methods differ in how much each of their models has to learn from: copies that share a model share the rows of all agents. */
function rowsSaid({ rows }: Column): Finding[] {
  const told = rows.flatMap(({ title, own }) => {
    const roles = new Set(own?.datasets.map(({ role }) => role));
    const sizes = [...roles].map((role) => {
      const ofRole = (own?.datasets ?? []).filter((each) => each.role === role);
      return `${role} ${count(ofRole.reduce((sum, each) => sum + each.rows, 0) / ofRole.length)}`;
    });
    return sizes.length === 0 ? [] : [`${title}: ${sizes.join(', ')}`];
  });
  return told.length < 2
    ? []
    : [finding('Rows that a model learnt from in an iteration, on the mean:', told)];
}
