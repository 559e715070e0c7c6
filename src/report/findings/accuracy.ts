import { holm } from '../../algorithm/measures/tests.ts';
import { chance, count, iterationsInWords, percent, points } from '../../text/figures.ts';
import { type ContenderComparison, type CurvePoint, range } from '../analyse/contenders.ts';
import type { Endurance } from '../analyse/gains.ts';
import type { EqualTokensRow, FirstVoteRow } from '../analyse/effects.ts';
import { type Contender, type Setting, type StudyAnalysis, titleOf } from '../analyse/study.ts';
import { differenceInWords, type Finding, finding, findingOfEach } from './finding.ts';

/** What a comparison shows: nothing, unless Holm's p-value is below 0.05. */
export function verdictOn({ adjusted, difference }: ContenderComparison): 'better' | 'worse' | 'neither' {
  if (adjusted >= 0.05) return 'neither';
  return difference > 0 ? 'better' : 'worse';
}

/** Whether the reference beats the other contenders of a setting, after one iteration, as in the paper, and after the last. */
export function againstOthers(analysis: StudyAnalysis, setting: Setting): Finding[] {
  return (['first', 'last'] as const).flatMap((moment) => {
    const made = analysis.comparisons.filter(
      (each) => each.setting === setting.name && each.moment === moment,
    );
    return made.length === 0 ? [] : comparisonsInWords(analysis, setting, made);
  });
}

function comparisonsInWords(
  analysis: StudyAnalysis,
  setting: Setting,
  made: readonly ContenderComparison[],
): Finding[] {
  const at = Math.max(...made.map(({ iterations }) => iterations.reference));
  const reference = setting.contenders.find(({ key }) => key === analysis.reference);
  const point = reference?.curve[at];
  if (reference === undefined || point === undefined) return [];
  const subject = `${reference.title}${at === 0 ? '' : ` after ${iterationsInWords(at)}`}`;
  const those = (verdict: ReturnType<typeof verdictOn>) =>
    made
      .filter((each) => verdictOn(each) === verdict)
      .map(
        (each) =>
          `${titleOf(analysis, setting.name, each.other)}: ${differenceInWords(each)}, ${chance(each.adjusted)} by Holm`,
      );
  const [better, worse, neither] = [those('better'), those('worse'), those('neither')];
  const than = ({ length }: readonly string[]) => othersInWords(length, made.length);
  return [
    finding(`${subject} is right on ${percent(point.accuracy)} of ${questionsInWords(point)}.`),
    ...findingOfEach(`${subject} is better than ${than(better)}:`, better),
    ...findingOfEach(`${subject} is worse than ${than(worse)}:`, worse),
    ...findingOfEach(
      `${subject} is not shown to be better or worse than ${than(neither)}; among this many comparisons, chance alone may make such differences. True differences below ${couldShow(made)} points would mostly stay hidden in a sample of this size:`,
      neither,
    ),
  ];
}

/** The differences that those comparisons show four times in five, without correction. */
function couldShow(made: readonly ContenderComparison[]): string {
  const sizes = made
    .filter((each) => verdictOn(each) === 'neither')
    .map(({ detectable }) => (detectable * 100).toFixed(1));
  return range(sizes.map(Number));
}

function othersInWords(some: number, all: number): string {
  if (some < all) return `${some} of the ${all} others`;
  if (all === 1) return 'the other method';
  return all === 2 ? 'both others' : `all ${all} others`;
}

function questionsInWords({ questions, units, bySeed }: CurvePoint): string {
  if (bySeed.length === 1) return `${count(questions)} held-out questions`;
  return units === questions
    ? `${count(questions)} held-out questions, those of ${bySeed.length} seeds together`
    : `${count(units)} answers to ${count(questions)} held-out questions, as ${bySeed.length} seeds share some of them`;
}

/** Whether each method's gains last over further iterations. Nothing for studies of one iteration. */
export function gainsLast({ contenders }: Setting): Finding[] {
  const changed = contenders.flatMap((contender) => {
    const { change = null, verdict = 'one iteration', best = 0 } = contender.endurance ?? {};
    return change === null ? [] : [{ contender, change, verdict, best }];
  });
  const those = (wanted: Endurance['verdict']) =>
    changed
      .filter(({ verdict }) => verdict === wanted)
      .map(
        ({ contender, change, best }) =>
          `${contender.title}: ${differenceInWords(change)}, ${chance(change.adjusted)} by Holm${bestInWords(contender, best)}`,
      );
  const course = 'From the first iteration to the last,';
  return [
    ...findingOfEach(
      `${course} these went on gaining: the last iteration is better than each one before.`,
      those('went on gaining'),
    ),
    ...findingOfEach(
      `${course} these gained, but the last iteration is not shown to be better than the best one before it:`,
      those('gained early'),
    ),
    ...findingOfEach(
      'The last iteration of these is worse than their best one, which counts as found by hindsight:',
      those('fell from its best'),
    ),
    ...findingOfEach(`${course} these fell:`, those('fell')),
    ...findingOfEach(`${course} these neither clearly gained nor fell:`, those('neither')),
  ];
}

function bestInWords({ curve }: Contender, best: number): string {
  const [there, end] = [curve[best]?.accuracy ?? NaN, curve.at(-1)?.accuracy ?? NaN];
  return best === curve.length - 1
    ? ', and best at the end'
    : `; best after iteration ${best} (${percent(there)}, at the end ${percent(end)})`;
}

/** Whether debating is worth its tokens: the base model's debate and the reference's, each beside the majority at equal tokens. */
export function besideMajority({ reference }: StudyAnalysis, { contenders }: Setting): Finding[] {
  const debate = contenders.find(({ key }) => key === 'debate');
  const trained = contenders.find(({ key, learns }) => key === reference && learns);
  const before = (debate ?? trained)?.own?.besideDebate.find(({ iteration }) => iteration === 0);
  const after = trained?.own?.besideDebate.findLast(({ iteration }) => iteration > 0);
  return [
    ...(before === undefined ? [] : [besideMajorityInWords('Before any training, debating', before)]),
    ...(after === undefined || trained === undefined
      ? []
      : [
          besideMajorityInWords(
            `After ${iterationsInWords(after.iteration)} of ${trained.title}, debating`,
            after,
          ),
        ]),
  ];
}

function besideMajorityInWords(
  subject: string,
  { debate, majority, votes, difference }: EqualTokensRow,
): Finding {
  const shown = difference.pValue < 0.05;
  const verdict = shown
    ? difference.difference > 0
      ? 'was better than'
      : 'was worse than'
    : 'was not shown to differ from';
  return finding(
    `${subject} ${verdict} a majority of as many first answers as cost the same tokens (${percent(debate)} against ${percent(majority)} of ${range(votes)} answers: ${differenceInWords(difference)}, ${chance(difference.pValue)}).`,
  );
}

/** What the rounds after the first do to trained agents: where their debate is worse than the vote over its own first answers. */
export function besideFirstVote({ reference }: StudyAnalysis, { contenders }: Setting): Finding[] {
  const trained = contenders.flatMap(({ key, title, own }) =>
    (own?.firstVotes ?? [])
      .filter(({ iteration }) => iteration > 0)
      .map((each) => ({ key, title, ...each, last: own?.firstVotes.at(-1) === each })),
  );
  const adjusted = holm(trained.map(({ difference }) => difference.pValue));
  const worse = trained.flatMap(({ title, iteration, debate, vote, difference }, index) => {
    const p = adjusted[index] ?? 1;
    if (p >= 0.05 || difference.difference > 0) return [];
    return [
      `${title} after ${iterationsInWords(iteration)}: ${percent(debate)} against ${percent(vote)}: ${differenceInWords(difference)}, won ${count(difference.wins)}, lost ${count(difference.losses)}, ${chance(p)} by Holm`,
    ];
  });
  const own = trained.find(({ key, last }) => key === reference && last);
  return [
    ...(own === undefined ? [] : [firstVoteInWords(own)]),
    ...findingOfEach(
      'After training, these debates are worse than the vote over their own first answers, so their later rounds do harm:',
      worse,
    ),
  ];
}

function firstVoteInWords({
  title,
  iteration,
  debate,
  vote,
  difference,
}: FirstVoteRow & { title: string }): Finding {
  const verdict =
    difference.pValue >= 0.05
      ? 'was not shown to differ from'
      : difference.difference > 0
        ? 'was better than'
        : 'was worse than';
  return finding(
    `After ${iterationsInWords(iteration)} of ${title}, debating ${verdict} the vote over the same agents’ first answers (${percent(debate)} against ${percent(vote)}: ${differenceInWords(difference)}, won ${count(difference.wins)}, lost ${count(difference.losses)}, ${chance(difference.pValue)}).`,
  );
}

/** How many figures of a setting agree with the paper's, and which do not. Nothing where the paper has no such experiment. */
export function withPaper({ contenders }: Setting): Finding[] {
  const beside = contenders.flatMap(({ title, learns, own }) =>
    (own?.agreements ?? []).flatMap((each, iteration) =>
      each === null ? [] : [{ ...each, name: learns ? `${title} after iteration ${iteration}` : title }],
    ),
  );
  if (beside.length === 0) return [];
  const differing = beside.filter(({ agrees }) => !agrees);
  const agreeing = `${beside.length - differing.length} of ${beside.length} figures agree with the paper’s within error`;
  if (differing.length === 0) return [finding(`${agreeing}.`)];
  return [
    finding(
      `${agreeing}; these do not:`,
      differing.map(
        ({ name, published, difference }) =>
          `${name}: paper ${percent(published.accuracy)}, ours ${points(difference)} points`,
      ),
    ),
  ];
}
