import { standingEvaluations } from '../../algorithm/guard.ts';
import type { Evaluation } from '../../algorithm/evaluation.ts';
import { holm, type PairedTest } from '../../algorithm/measures/tests.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import { isEmbedded } from '../../config/agents.ts';
import { chance, count, iterationsInWords, percent, points } from '../../text/figures.ts';
import type { ReportData } from '../read/experiment.ts';
import { learntFrom } from './measures.ts';
import { type AllFindings, type Finding, finding, findingOfEach } from './finding.ts';

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
  return { findings: shown([...decided, ...shows]), limits: limits(last, models, trained) };
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

function limits(last: Evaluation, models: ReportData['models'], trained: boolean): string[] {
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
