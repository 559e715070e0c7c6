/** What does an experiment show, what does a study show, and what do they not show? In plain sentences that follow from the numbers by rule. */
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { standingEvaluations } from '../../algorithm/guard.ts';
import { mostVotes } from '../../algorithm/measures/cost.ts';
import { holm, type PairedTest } from '../../algorithm/measures/tests.ts';
import { methods } from '../../algorithm/methods.ts';
import { asksEmbedded, isEmbedded } from '../../config/agents.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { chance, count, iterationsInWords, listed, percent, points } from '../../text/figures.ts';
import type { Contender, Setting, StudyAnalysis } from '../analyse/study.ts';
import type { ReportData } from '../read/experiment.ts';
import { againstOthers, besideFirstVote, besideMajority, gainsLast, withPaper } from './accuracy.ts';
import { type AllFindings, type Finding, finding, findingOfEach } from './finding.ts';
import { learntFrom, measured } from './measures.ts';

/** What an experiment shows, for readers who have not read the paper. It claims a difference only where the paired test has p < 0.05. */
export function experimentFindings({
  result,
  models,
  debateVersusMajority,
  labels,
}: ReportData): AllFindings {
  const base = result.evaluations[0];
  const standing = standingEvaluations(result);
  const last = standing.at(-1);
  const start = (result.night?.from ?? null) === null ? baseModel : startOfNight;
  const shown = (shows: readonly Finding[]) => [
    { about: null, shows, beside: learntFrom('the agents', labels) },
  ];
  if (base === undefined || last === undefined)
    return { findings: shown([finding('Nothing was evaluated, so nothing can be said.')]), limits: [] };
  const debating = (evaluation: Evaluation, when: string): Finding[] => {
    const test = debateVersusMajority.get(evaluation.iteration);
    return test === undefined ? [] : [debateAgainstVote(evaluation, test, when)];
  };
  const shows =
    last.iteration === 0
      ? debating(base, start.when)
      : [
          gain(base, last, start),
          ...debating(base, start.when),
          ...debating(last, `After ${iterationsInWords(last.iteration)}`),
          ...worseBetween(standing.slice(1, -1), debateVersusMajority),
          ...asOneModel(result.distilled?.evaluation ?? null),
        ];
  const decided = [result.guard?.said, result.answer?.said].flatMap((said) =>
    said === undefined ? [] : [finding(said)],
  );
  const trained = result.evaluations.length > 1;
  return { findings: shown([...decided, ...shows]), limits: limitsOfExperiment(last, models, trained) };
}

type Start = { readonly name: string; readonly debate: string; readonly when: string };

/** What an experiment starts from, as the sentences call it. */
const baseModel: Start = {
  name: 'base model',
  debate: "the base model's debate",
  when: 'Before any training',
};
/** A night of a series starts from trained agents. */
const startOfNight: Start = {
  name: 'at the beginning of the night',
  debate: 'the debate at the beginning of the night',
  when: 'At the beginning of the night',
};

function gain(base: Evaluation, last: Evaluation, start: Start): Finding {
  const { wins, losses, pValue } = last.debateVersusBase;
  const single = last.single.accuracy - base.single.accuracy;
  const change =
    `After ${iterationsInWords(last.iteration)} the debate is right on ${percent(last.debate.accuracy)} of ${count(last.questions)} held-out questions ` +
    `(${start.name}: ${percent(base.debate.accuracy)}), and a single answer on ${percent(last.single.accuracy)} ` +
    `(${points(single)} points). `;
  const paired = `It got ${count(wins)} questions right that ${start.debate} had wrong, and lost ${count(losses)}`;
  if (pValue >= 0.05)
    return finding(
      `${change}${paired}: a difference that chance alone would often make (${chance(pValue)}). So it does not show a change.`,
    );
  return finding(
    `${change}${paired}: chance alone would hardly make that ${wins > losses ? 'gain' : 'loss'} (${chance(pValue)}).`,
  );
}

function debateAgainstVote(evaluation: Evaluation, test: PairedTest, when: string): Finding {
  const { debate, majority, single } = evaluation;
  const { wins, losses, pValue } = test;
  const verdict = pValue >= 0.05 ? 'about as good as' : wins > losses ? 'better than' : 'worse than';
  return finding(
    `${when} debating was ${verdict} a vote over the agents' first answers ` +
      `(${percent(debate.accuracy)} against ${percent(majority.accuracy)}; it saved ${count(wins)} questions that the vote had wrong, and ` +
      `spoilt ${count(losses)}: ${chance(pValue)}); a single answer was right on ${percent(single.accuracy)}.`,
  );
}

/** One model instead of the group. */
function asOneModel(evaluation: NonNullable<ExperimentResult['distilled']>['evaluation']): Finding[] {
  if (evaluation === null) return [];
  const { questions, accuracy, debate, versusDebate, tokens, debateTokens } = evaluation;
  const { wins, losses, pValue } = versusDebate;
  const each = (used: typeof tokens) => count((used.prompt + used.completion) / Math.max(1, questions));
  const verdict =
    pValue >= 0.05
      ? 'no difference to the debate is shown'
      : `it is ${wins > losses ? 'better' : 'worse'} than the debate`;
  return [
    finding(
      `Distilled into one model that answers alone, the group is right on ${percent(accuracy.accuracy)} at ${each(tokens)} tokens a question, ` +
        `where its debate is right on ${percent(debate.accuracy)} at ${each(debateTokens)}: ${verdict} (${count(wins)} questions won, ${count(losses)} lost, ${chance(pValue)}).`,
    ),
  ];
}

/** After which iterations before the last the debate was worse than its own vote; corrected for their number. */
function worseBetween(evaluations: readonly Evaluation[], tests: ReadonlyMap<number, PairedTest>): Finding[] {
  const tested = evaluations.flatMap((evaluation) => {
    const test = tests.get(evaluation.iteration);
    return test === undefined ? [] : [{ ...evaluation, ...test }];
  });
  const adjusted = holm(tested.map(({ pValue }) => pValue));
  const worse = tested.flatMap(({ iteration, debate, majority, wins, losses }, index) => {
    const p = adjusted[index] ?? 1;
    if (p >= 0.05 || wins > losses) return [];
    return [
      `After ${iterationsInWords(iteration)}: ${percent(debate.accuracy)} against ${percent(majority.accuracy)}, saved ${count(wins)}, spoilt ${count(losses)}, ${chance(p)} by Holm`,
    ];
  });
  return findingOfEach(
    "Before that, debating was worse than a vote over the agents' first answers too:",
    worse,
  );
}

function limitsOfExperiment(last: Evaluation, models: ReportData['models'], trained: boolean): string[] {
  const embedded = models.some((model_name_or_path) => isEmbedded({ model_name_or_path }));
  return [
    last.iteration === 0
      ? trained
        ? 'All training was rolled back: the figures are those from before it.'
        : 'Nothing was trained: only the base model was evaluated.'
      : 'The standard errors count only the choice of questions. How much another seed of the training would change is not measured here: run the same config with other seeds.',
    'It is about one task, whose held-out questions are of the same kind as the training ones; it says nothing about other tasks.',
    ...(embedded
      ? [
          'The embedded model was made careless on purpose, so that self-improvement can be seen in minutes. Its gain says nothing about large models.',
        ]
      : []),
  ];
}

/** What a study shows and does not show. */
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
  return { findings, limits: limitsOfStudy(analysis) };
}

function nothingToCompare({ contenders }: Setting): Finding {
  const titles = contenders.map(({ title }) => title);
  return finding(
    `Only ${listed(titles)} ${titles.length === 1 ? 'is' : 'are'} finished here, so there is nothing to compare yet.`,
  );
}

function limitsOfStudy({ settings, missing, comparisons, reference }: StudyAnalysis): string[] {
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
