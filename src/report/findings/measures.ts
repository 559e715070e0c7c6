import { counted, count, percent } from '../../text/figures.ts';
import { paretoFront } from '../analyse/cost.ts';
import type { Contender, Setting, StudyAnalysis } from '../analyse/study.ts';
import { diversityFindings } from './diversity.ts';
import { type Finding, finding, findingOfEach } from './finding.ts';

/** What the measures show beside the accuracies, for the reference and the methods that learn. No cause is claimed. */
export function measured({ reference }: StudyAnalysis, setting: Setting): Finding[] {
  const contender = setting.contenders.find(({ key }) => key === reference);
  return [
    ...(contender === undefined
      ? []
      : [...lastFlips(contender), ...trainedOn(contender), ...labelPrecision(contender)]),
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
