import { range } from '../analyse/contenders.ts';
import { resamples } from '../../algorithm/measures/comparison.ts';
import { type StudyAnalysis, titleOf } from '../analyse/study.ts';
import {
  build,
  differences,
  figures,
  iterations,
  means,
  names,
  ofContenders,
  percents,
  percentsWithError,
  type Placed,
  pValues,
  type TableSpec,
} from './build.ts';
import { paperTables } from './paper-tables.ts';
import type { Table } from './table.ts';

/** Every table of a study that has rows, by section of the report. */
export function studyTables(analysis: StudyAnalysis) {
  const of = (...wanted: readonly (keyof typeof tables)[]): Table[] =>
    wanted.flatMap((each) => tables[each](each, analysis));
  return {
    accuracy: paperTables(analysis),
    comparisons: of('comparisons'),
    iterations: of('iterations', 'seeds'),
    gains: of('gains'),
    equalTokens: of('equal-tokens'),
    diversity: of('diversity'),
    flips: of('flips', 'summaries', 'consensus'),
    cost: of('cost'),
    datasets: of('datasets', 'votes'),
    transfer: of('transfer'),
  } satisfies Record<string, readonly Table[]>;
}
export type StudyTables = ReturnType<typeof studyTables>;

/** The tables by their names. */
const tables = {
  /** All paired tests: the reference against each other contender. */
  comparisons: tableOf((analysis) =>
    analysis.comparisons.map((item) => {
      const { setting, other } = item;
      return { setting, title: titleOf(analysis, setting, other), item };
    }),
  )({
    caption: (analysis) => `${referenceTitle(analysis)} against each other method, on the same questions`,
    columns: [
      names('after', 'Iterations', (each) => `${each.iterations.reference} against ${each.iterations.other}`),
      differences('difference', 'Difference', (each) => each),
      figures('questions', 'On', 'questions', (each) => each.questions, 0),
      figures('wins', 'Won', 'questions', (each) => each.wins, 0),
      figures('losses', 'Lost', 'questions', (each) => each.losses, 0),
      pValues('p', 'p', (each) => each.pValue),
      pValues('p_holm', 'p by Holm', (each) => each.adjusted),
    ],
    notes: (analysis) => {
      const title = referenceTitle(analysis);
      return [
        `Difference: ${title} less the other, in percentage points; from and to: its paired 95 % bootstrap interval (${resamples} draws of questions). A question is counted once, with all of its answers and seeds. Won: questions that ${title} has right more often. p: the exact two-sided sign-flip test of the same difference, which for one answer a question is McNemar’s; Holm’s correction is over all tests after one iteration, and over all after the last.`,
      ];
    },
  }),

  /** The accuracy of every contender after every iteration. */
  iterations: tableOf(ofContenders((contender) => [contender]))({
    caption: 'Accuracy over iterations',
    columns: (contenders) => {
      const most = Math.max(...contenders.map(({ curve }) => curve.length));
      return Array.from({ length: most }, (_, iteration) =>
        percentsWithError(
          `iteration_${iteration}`,
          iteration === 0 ? 'Base' : String(iteration),
          ({ curve }) => share(curve[iteration]),
        ),
      );
    },
    notes: ['Accuracy ± one standard error. Base: the same way of answering before any fine-tuning.'],
  }),

  /** How far apart the seeds are: the accuracy of each after the last iteration. None for a study of one seed. */
  seeds: tableOf(
    ofContenders((contender) => {
      const last = contender.curve.at(-1);
      return contender.seeds.length < 2 || last === undefined ? [] : [last];
    }),
  )({
    caption: 'Accuracy by seed, after the last iteration',
    columns: (points) => {
      const seeds = [...new Set(points.flatMap(({ bySeed }) => bySeed.map(({ seed }) => seed)))];
      return [
        iterations(),
        seeds.map((seed) =>
          percents(
            `seed_${seed}`,
            `Seed ${seed}`,
            ({ bySeed }) => bySeed.find((each) => each.seed === seed)?.accuracy,
          ),
        ),
        percents('spread', 'Standard deviation', ({ seedSpread }) => seedSpread, 'points'),
      ];
    },
    notes: [
      'A seed decides which questions are drawn, the answers and the order of training. The standard deviation (over n − 1) covers all of that.',
    ],
  }),

  /** Whether gains last: the best iteration of each method that learns, and the change from the first to the last. */
  gains: tableOf((analysis) => {
    const items = ofContenders(({ curve, endurance }) => (endurance === null ? [] : [{ curve, endurance }]))(
      analysis,
    );
    return items.every(({ item }) => item.endurance.change === null) ? [] : items;
  })({
    caption: 'Do gains last?',
    columns: [
      figures('best_iteration', 'Best', 'iteration', ({ endurance }) => endurance.best, 0),
      percents('best', 'At best', ({ curve, endurance }) => curve[endurance.best]?.accuracy),
      percents('first', 'First', ({ curve }) => curve[1]?.accuracy),
      percents('last', 'Last', ({ curve }) => curve.at(-1)?.accuracy),
      differences('change', 'Change', ({ endurance }) => endurance.change),
      pValues('p_holm', 'p by Holm', ({ endurance }) => endurance.change?.adjusted),
      percents(
        'since_best',
        'Last less best before',
        ({ endurance }) => endurance.sinceBest?.difference,
        'points',
      ),
      pValues('p_since_best', 'p by Holm, best', ({ endurance }) => endurance.sinceBest?.adjusted),
      names('verdict', 'Verdict', ({ endurance }) => endurance.verdict),
    ],
    notes: [
      'First, last: after iteration 1 and after the last. Change: the last less the first on the same questions; from and to: its paired 95 % bootstrap interval. Last less best before: the last iteration less the best of those before it. p: exact sign-flip tests, with Holm’s correction over all methods of the study. The best iteration is picked by hindsight, so its accuracy looks better than it is: the p-value of a fall from it is also multiplied by the number of iterations before the last. A method went on gaining only where the last iteration is better than every one before.',
    ],
  }),

  /** Every debate beside the majority of as many first answers as cost the same tokens. */
  'equal-tokens': tableOf(ofContenders(({ own }) => own?.besideDebate ?? []))({
    caption: 'Debate and majority at equal tokens',
    columns: [
      iterations(),
      names('answers', 'Answers', ({ votes }) => range(votes)),
      percents('debate', 'Debate', ({ debate }) => debate),
      percents('majority', 'Majority', ({ majority }) => majority),
      differences('difference', 'Difference', ({ difference }) => difference),
      pValues('p', 'p', ({ difference }) => difference.pValue),
    ],
    notes: [
      'Majority: the same agents vote with as many first answers as cost the tokens of their debate, read and written: what a debate has to beat to be worth its price. From and to: the difference’s paired 95 % bootstrap interval. p: the exact sign-flip test of it, not corrected.',
    ],
  }),

  /** How diverse the agents' first answers are. None where nothing was measured. */
  diversity: tableOf(ofContenders(({ own }) => own?.diversity.rows ?? []))({
    caption: 'Diversity of the agents’ first answers',
    columns: [
      iterations(),
      means('dissimilarity', 'Embedding dissimilarity', '0 to 2', (each) => each.dissimilarity, 3),
      means('nll_of_others', 'NLL of others', 'nats a token', (each) => each.nllOfOthers, 3),
      means('kl_between_agents', 'KL between agents', 'nats a token', (each) => each.betweenAgents, 3),
      means('kl_from_base', 'KL from the base', 'nats a token', (each) => each.fromBase, 3),
      means('distinct_answers', 'Distinct answers', 'a question', (each) => each.distinctAnswers, 2),
    ],
    notes: (_, rows) => [
      `Means over questions ± one standard error. Texts were made into vectors by ${[...new Set(rows.map(({ encoder }) => encoder))].join(', ')}.`,
    ],
  }),

  /** How agents changed their answers from one round to the next. */
  flips: tableOf(ofContenders(({ own }) => own?.flips ?? []))({
    caption: 'Flips from round to round',
    columns: [
      iterations(),
      figures('round', 'To', 'round', ({ round }) => round, 0),
      percentsWithError('wrong_to_right', 'Wrong to right', (each) => each.wrongToRight),
      percentsWithError('right_to_wrong', 'Right to wrong', (each) => each.rightToWrong),
      percentsWithError('corrected', 'Of wrong ones, corrected', (each) => each.corrected),
      percentsWithError('spoilt', 'Of right ones, spoilt', (each) => each.spoilt),
      percentsWithError('conformed', 'Of dissenters, conformed', (each) => each.conformed),
    ],
    notes: [
      'Shares of the agents’ answers to held-out questions ± one standard error over questions. A dissenter’s answer stood against the majority of the other agents; it conformed when it went over to it.',
    ],
  }),

  /** What summaries did to the answers of debates. */
  summaries: tableOf(ofContenders(({ own }) => own?.summaries ?? []))({
    caption: 'Answers after a summary',
    columns: [
      iterations(),
      percentsWithError('helped', 'Helped', ({ helped }) => helped),
      percentsWithError('harmed', 'Harmed', ({ harmed }) => harmed),
      percentsWithError('net', 'Net', ({ net }) => net, 'points'),
      differences('with_less_without', 'Difference', ({ versusWithout }) => versusWithout),
      pValues('p', 'p', ({ versusWithout }) => versusWithout?.pValue),
    ],
    notes: [
      'Of the answers given after a summary was shown: those that were wrong before and right after, and the reverse, ± one standard error over questions. That does not say that the summary did it. The difference does, for the base model: the accuracy of the debates with summaries less that of the same method without; later the two have also learnt from different debates. From and to: its paired 95 % bootstrap interval. p: the exact sign-flip test of it, not corrected.',
    ],
  }),

  /** How far the agents agree on held-out questions, and what a better vote could still gain. */
  consensus: tableOf(ofContenders(({ own }) => own?.consensus ?? []))({
    caption: 'Agreement of the agents on held-out questions',
    columns: [
      iterations(),
      percentsWithError('consensus_share', 'Agree with the majority', (each) => each.consensusShare),
      percentsWithError('unanimous', 'Unanimous', ({ unanimous }) => unanimous),
      percentsWithError('maj_at_n', 'maj@N', ({ majAtN }) => majAtN),
      percentsWithError('pass_at_n', 'pass@N', ({ passAtN }) => passAtN),
    ],
    notes: [
      'Of last answers: the share that agrees with their majority, and the questions where all do. Of the N first answers: the questions that their majority gets right, and those that any of them does.',
    ],
  }),

  /** What each method cost, and what it gained for that. */
  cost: tableOf(ofContenders(({ curve, own }) => (own === null ? [] : [{ curve, ...own.cost }])))({
    caption: 'Cost, the mean of one seed',
    columns: [
      percents('accuracy', 'At the end', ({ curve }) => curve.at(-1)?.accuracy),
      figures('tokens_in', 'Read', 'tokens', ({ tokensIn }) => tokensIn, 0),
      figures('tokens_out', 'Written', 'tokens', ({ tokensOut }) => tokensOut, 0),
      figures('tokens_trained', 'Trained on', 'tokens', ({ tokensTrained }) => tokensTrained, 0),
      figures('tokens', 'In all', 'tokens', ({ tokens }) => tokens, 0),
      figures(
        'points_per_million_tokens',
        'Gain',
        'points a million',
        ({ pointsPerMillionTokens }) => pointsPerMillionTokens,
        2,
      ),
      figures('device_seconds', 'Device', 's', ({ deviceSeconds }) => deviceSeconds, 0),
      figures('wall_seconds', 'Time', 's', ({ wallSeconds }) => wallSeconds, 0),
    ],
    notes: [
      'Training debates, fine-tunes and evaluations. In all: without the base model’s own evaluation where a method learns. Gain: percentage points over one answer of the base model, for each million tokens. A method that answers once is measured with the answers of all agents; one of them counts. Answers that experiments share are counted for each, though they were asked for once; the times are those measured, and so are shorter. Device: the phases of debates, evaluations and fine-tunes; on one GPU these are its GPU-seconds, on several multiply them by their number.',
    ],
  }),

  /** How much each model learnt from. */
  datasets: tableOf(ofContenders(({ own }) => own?.datasets ?? []))({
    caption: 'Dataset sizes',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      names('role', 'Model', ({ role }) => role),
      figures('datasets', 'Datasets', 'a seed', ({ datasets }) => datasets, 0),
      figures('rows', 'Mean size', 'rows', ({ rows }) => rows),
      figures('fewest', 'Smallest', 'rows', ({ fewest }) => fewest, 0),
    ],
    notes: [],
  }),

  /** How the agents voted on the training questions. */
  votes: tableOf(ofContenders(({ own }) => own?.votes ?? []))({
    caption: 'Votes on the training questions',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      figures('questions', 'Voted on', 'questions', ({ questions }) => questions, 0),
      percents('unanimous', 'Unanimous', ({ unanimous }) => unanimous),
      percents('ties', 'Ties, drawn', ({ ties }) => ties),
      percents('without_label', 'No label', ({ withoutLabel }) => withoutLabel),
    ],
    notes: [],
  }),

  /** Zero-shot transfer: what learning on one task does to another. */
  transfer: tableOf(
    ofContenders(({ learns, own }) => (own?.transfer ?? []).map((each) => ({ learns, ...each }))),
  )({
    caption: 'Zero-shot transfer to other tasks',
    columns: [
      names('task', 'Evaluated on', ({ task }) => task),
      percentsWithError('before', 'Base', ({ before }) => share(before)),
      percentsWithError('after', 'Last iteration', ({ learns, after }) => (learns ? share(after) : null)),
      differences('change', 'Change', ({ change }) => change),
    ],
    notes: [
      'Nothing was learnt from these tasks. Change: on the same questions, with its paired 95 % bootstrap interval.',
    ],
  }),
};

/** A table with a row for each item. The items come first, so that their type is known where the columns are written. */
function tableOf<Item>(items: (analysis: StudyAnalysis) => readonly Placed<Item>[]) {
  return (spec: TableSpec<Item>) =>
    (name: string, analysis: StudyAnalysis): Table[] =>
      build(name, items(analysis), spec, analysis);
}

function referenceTitle(analysis: StudyAnalysis): string {
  return titleOf(analysis, analysis.comparisons[0]?.setting ?? '', analysis.reference);
}

function share(
  point: { readonly accuracy: number; readonly standardError: number } | undefined,
): { readonly value: number; readonly standardError: number } | null {
  return point === undefined ? null : { value: point.accuracy, standardError: point.standardError };
}
