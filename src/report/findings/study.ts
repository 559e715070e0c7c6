import { methods } from '../../algorithm/methods.ts';
import { mostVotes } from '../../algorithm/measures/cost.ts';
import { asksEmbedded } from '../../config/agents.ts';
import { count, listed } from '../../text/figures.ts';
import type { Contender, Setting, StudyAnalysis } from '../analyse/study.ts';
import { againstOthers, besideFirstVote, besideMajority, gainsLast, withPaper } from './accuracy.ts';
import { type AllFindings, type Finding, finding } from './finding.ts';
import { measured } from './measures.ts';

/** What a study shows and does not show, in plain sentences that follow from the numbers by rule. */
export function studyFindings(analysis: StudyAnalysis): AllFindings {
  const { settings } = analysis;
  const findings = settings.map((setting) => {
    const shows = [
      ...againstOthers(analysis, setting),
      ...gainsLast(setting),
      ...besideFirstVote(analysis, setting),
      ...besideMajority(analysis, setting),
      ...withPaper(setting),
    ];
    return {
      about: settings.length > 1 ? setting.name : null,
      shows: shows.length > 0 ? shows : [nothingToCompare(setting)],
      beside: measured(analysis, setting),
    };
  });
  return { findings, limits: limits(analysis) };
}

function nothingToCompare({ contenders }: Setting): Finding {
  const titles = contenders.map(({ title }) => title);
  return finding(
    `Only ${listed(titles)} ${titles.length === 1 ? 'is' : 'are'} finished here, so there is nothing to compare yet.`,
  );
}

function limits({ settings, missing, comparisons, reference }: StudyAnalysis): string[] {
  const contenders = settings.flatMap((setting) => setting.contenders);
  const withoutReference = settings
    .filter((setting) => !setting.contenders.some(({ key }) => key === reference))
    .map(({ name }) => name);
  return [
    ...only(
      missing.length > 0,
      `${count(missing.length)} of the study’s experiments are missing; what is said is about the others.`,
    ),
    ...only(
      withoutReference.length > 0 && comparisons.length > 0,
      `Without a finished experiment of the method that others are compared with, nothing is tested on ${listed(withoutReference)}.`,
    ),
    ofSeeds(new Set(contenders.flatMap(({ seeds }) => seeds)).size),
    ...ofGoldLabels(contenders),
    ...ofMissingVotes(contenders),
    ...ofDiversity(contenders),
    ...only(
      settings.some(({ experiments }) => experiments.some(({ config }) => asksEmbedded(config))),
      'The embedded model is tiny and was made for this, from questions of the same kind, the held-out ones among them, by a rule that was fixed before the methods were compared (engine/models/tiny-arithmetic/README.md): what it shows says nothing about large models.',
    ),
  ];
}

function only(holds: boolean, sentence: string): string[] {
  return holds ? [sentence] : [];
}

function ofSeeds(seeds: number): string {
  return seeds === 1
    ? 'There is one seed: the errors cover the choice of questions, and not how much another training would change.'
    : `There are ${seeds} seeds, pooled: the errors cover the choice of questions and answers. ${seeds} trainings of each method are too few to tell how much another training would change. How far apart the seeds are is in a table of its own.`;
}

/** Methods that had more to learn from than the others. */
function ofGoldLabels(contenders: readonly Contender[]): string[] {
  const titles = contenders.flatMap(({ title, learns, own }) =>
    learns && own?.config.label_source === 'gold' ? [title] : [],
  );
  return only(
    titles.length > 0,
    `${listed([...new Set(titles)])} learnt from the gold answers of the training questions; no other method used any.`,
  );
}

function ofMissingVotes(contenders: readonly Contender[]): string[] {
  const titles = contenders.flatMap(({ title, own }) =>
    own !== null &&
    own.config.equal_tokens &&
    own.config.rounds > 1 &&
    methods[own.config.method].answer === 'debate' &&
    own.besideDebate.length === 0
      ? [title]
      : [],
  );
  return only(
    titles.length > 0,
    `The majority at equal tokens was not measured for ${listed([...new Set(titles)])}: the server counts no tokens, or by its counts that would take more than ${mostVotes} answers to a question.`,
  );
}

function ofDiversity(contenders: readonly Contender[]): string[] {
  const own = contenders.flatMap((each) => each.own ?? []);
  const reasons = new Set(own.flatMap(({ diversity }) => diversity.leftOut));
  return [
    ...only(
      own.length > 0 && own.every(({ diversity }) => diversity.rows.length === 0),
      'Diversity was not measured.',
    ),
    ...[...reasons].map((reason) => `Some of the diversity is not measured: ${reason}`),
  ];
}
