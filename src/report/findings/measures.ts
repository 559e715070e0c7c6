import type { Ratio } from '../../algorithm/measures/answers.ts';
import { count, counted, errorInPoints, percent } from '../../text/figures.ts';
import { paretoFront } from '../analyse/gains.ts';
import type { DiversityMeasure, DiversityRow, LabelRow } from '../analyse/measures.ts';
import type { Contender, Setting, StudyAnalysis } from '../analyse/study.ts';
import { type Finding, finding, findingOfEach } from './finding.ts';

/** What the measures show beside the accuracies, for the reference and the methods that learn. No cause is claimed. */
export function measured({ reference }: StudyAnalysis, setting: Setting): Finding[] {
  const contender = setting.contenders.find(({ key }) => key === reference);
  return [
    ...(contender === undefined
      ? []
      : [
          ...lastFlips(contender),
          ...trainedOn(contender),
          ...labelPrecision(contender),
          ...learntFrom(contender.title, contender.own?.labels ?? []),
        ]),
    ...datasetSizes(setting),
    ...diversityFindings(setting, reference),
    ...onTheFront(setting),
  ];
}

function lastFlips({ title, own, curve }: Contender): Finding[] {
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

function trainedOn({ title, own }: Contender): Finding[] {
  const [first, last] = [own?.votes[0], own?.votes.at(-1)];
  if (own === null || first === undefined || last === undefined) return [];
  const smallest = Math.min(...own.datasets.map(({ fewest }) => fewest));
  const unanimous =
    first === last
      ? `${percent(first.unanimous)} of the questions`
      : `${percent(first.unanimous)} of the questions in the first iteration and on ${percent(last.unanimous)} in the last`;
  return [
    finding(
      `In training, the agents of ${title} were unanimous on ${unanimous}; the smallest dataset of a model had ${counted(smallest, 'row')}.`,
    ),
  ];
}

/** How right the labels were. Labels of gold answers are not judged. */
function labelPrecision({ title, own }: Contender): Finding[] {
  const [first, last] = [own?.labels[0], own?.labels.at(-1)];
  if (first === undefined || last === undefined || first.precision === null || last.precision === null)
    return [];
  const precision =
    first === last
      ? `${percent(first.precision.value)} of its questions`
      : `${percent(first.precision.value)} of its questions in the first iteration and ${percent(last.precision.value)} in the last`;
  return [
    finding(
      `The labels that ${title} learnt from were right on ${precision}, judged by gold answers that only measured.`,
    ),
  ];
}

/**
 * How right was what models learnt from, in the first and in the last iteration.
 *
 * @param who learnt
 */
export function learntFrom(who: string, labels: readonly LabelRow[]): Finding[] {
  const known = labels.flatMap(({ iteration, purity }) => {
    const { right = null, rejectedWrong = null } = purity?.all ?? {};
    return right === null ? [] : [{ iteration, right, compared: rejectedWrong !== null }];
  });
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return [];
  const compared = known.some((each) => each.compared);
  const share = ({ value, standardError, of }: Ratio, what: string) =>
    `${percent(value)} (±${errorInPoints(standardError)}) of ${count(of)}${what}`;
  const what = compared ? ' sides of rows' : ' rows';
  const shares =
    first === last
      ? share(first.right, what)
      : `${share(first.right, what)} in iteration ${first.iteration} and in ${share(last.right, '')} in iteration ${last.iteration}`;
  const sides = compared
    ? ' A side is right when an answer to imitate or to prefer is right, or one to avoid is wrong.'
    : '';
  return [
    finding(
      `What ${who} learnt from was right in ${shares}, judged by gold answers that only measured.${sides}`,
    ),
  ];
}

/** Methods differ in how much each of their models has to learn from: copies that share a model share the rows of all agents. */
function datasetSizes({ contenders }: Setting): Finding[] {
  const sizes = contenders.flatMap(({ title, own }) => {
    const roles = new Set(own?.datasets.map(({ role }) => role));
    const means = [...roles].map((role) => {
      const ofRole = (own?.datasets ?? []).filter((each) => each.role === role);
      return `${role} ${count(ofRole.reduce((sum, each) => sum + each.rows, 0) / ofRole.length)}`;
    });
    return means.length === 0 ? [] : [`${title}: ${means.join(', ')}`];
  });
  return sizes.length < 2
    ? []
    : [finding('Rows that a model learnt from in an iteration, on average:', sizes)];
}

/** The methods on the Pareto front. Two that differ by little may both be on it, so it does not make them worth their tokens. */
function onTheFront({ contenders }: Setting): Finding[] {
  const priced = contenders.flatMap(({ title, tokens, curve }) => {
    const accuracy = curve.at(-1)?.accuracy;
    return tokens === null || tokens === 0 || accuracy === undefined ? [] : [{ title, tokens, accuracy }];
  });
  if (priced.length < 2) return [];
  return findingOfEach(
    'On the Pareto front: no other method was as accurate for as few tokens (by the figures alone, without their errors):',
    paretoFront(priced).map(
      ({ title, tokens, accuracy }) => `${title}: ${percent(accuracy)} for ${count(tokens)} tokens`,
    ),
  );
}

/**
 * Whether the reference's agents stay more diverse than those of other methods. Only methods whose models learn from about as many rows are
 * compared: more rows alone make models surer and more alike.
 */
function diversityFindings({ contenders }: Setting, reference: string): Finding[] {
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
