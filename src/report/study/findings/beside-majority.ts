import { percent } from '../../format.ts';
import { range } from '../contender.ts';
import type { BesideDebate } from '../beside-debate.ts';
import type { Column, StudyAnalysis } from '../analyse-study.ts';
import { type Finding, finding } from './finding.ts';
import { chanceSaid, differenceSaid, iterationsSaid } from './said.ts';

/** Whether debating is worth its tokens: the base model's debate and the reference's, each beside the majority at equal tokens. */
export function besideMajority({ reference }: StudyAnalysis, { rows }: Column): Finding[] {
  const debate = rows.find(({ key }) => key === 'debate');
  const trained = rows.find(({ key, learns }) => key === reference && learns);
  const before = (debate ?? trained)?.own?.besideDebate.find(({ iteration }) => iteration === 0);
  const after = trained?.own?.besideDebate.find(({ iteration }) => iteration > 0);
  return [
    ...(before === undefined ? [] : [sentence('Before any training, debating', before)]),
    ...(after === undefined || trained === undefined
      ? []
      : [sentence(`After ${iterationsSaid(after.iteration)} of ${trained.title}, debating`, after)]),
  ];
}

function sentence(subject: string, { debate, majority, votes, difference }: BesideDebate): Finding {
  const shown = difference.pValue < 0.05 && difference.low * difference.high > 0;
  const verdict = shown
    ? difference.difference > 0
      ? 'was better than'
      : 'was worse than'
    : 'was not shown to differ from';
  return finding(
    `${subject} ${verdict} a majority of as many first answers as cost the same tokens (${percent(debate)} against ${percent(majority)} of ${range(votes)} answers: ${differenceSaid(difference)}, ${chanceSaid(difference.pValue)}).`,
  );
}
