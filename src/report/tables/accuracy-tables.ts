/** How right are the methods, and which differences are shown? */
import { resamples } from '../../algorithm/measures/comparison.ts';
import { type ContenderComparison, range } from '../analyse/contenders.ts';
import { titleOf } from '../analyse/study.ts';
import {
  differences,
  figures,
  iterations,
  names,
  ofContenders,
  percents,
  shares,
  pValues,
  share,
  tableOf,
  referenceTitle,
} from './build.ts';

/** The columns of a paired test. */
const pairedColumns = [
  names<ContenderComparison>(
    'after',
    'Iterations',
    (each) => `${each.iterations.reference} against ${each.iterations.other}`,
  ),
  differences<ContenderComparison>('difference', 'Difference', (each) => each),
  figures<ContenderComparison>('questions', 'On', 'questions', (each) => each.questions, 0),
  figures<ContenderComparison>('wins', 'Won', 'questions', (each) => each.wins, 0),
  figures<ContenderComparison>('losses', 'Lost', 'questions', (each) => each.losses, 0),
  pValues<ContenderComparison>('p', 'p', (each) => each.pValue),
  pValues<ContenderComparison>('p_holm', 'p by Holm', (each) => each.adjusted),
  percents<ContenderComparison>('detectable', 'Could show', ({ detectable }) => detectable, 'points'),
];

export const accuracyTables = {
  /** All paired tests: the reference against each other contender. */
  comparisons: tableOf((analysis) =>
    analysis.comparisons.map((item) => {
      const { setting, other } = item;
      return { setting, title: titleOf(analysis, setting, other), item };
    }),
  )({
    caption: (analysis) => `${referenceTitle(analysis)} against each other method, on the same questions`,
    columns: pairedColumns,
    notes: (analysis) => {
      const title = referenceTitle(analysis);
      return [
        `Difference: ${title} less the other, in percentage points; from and to: its paired 95 % bootstrap interval (${resamples} draws of questions). A question is counted once, with all of its answers and seeds. Won: questions that ${title} has right more often. p: the exact two-sided sign-flip test of the same difference, which for one answer a question is McNemar’s; Holm’s correction is over all tests after one iteration, and over all after the last.`,
        'Could show: the smallest true difference that such a sample shows four times in five, without the correction: 2.8 standard errors of the difference, and at least 6 questions.',
      ];
    },
  }),

  /** Variants against each other, as objectives are compared. */
  'variant-pairs': tableOf((analysis) =>
    analysis.variantPairs.map((item) => {
      const { setting, reference, other } = item;
      const title = `${titleOf(analysis, setting, reference)} against ${titleOf(analysis, setting, other)}`;
      return { setting, title, item };
    }),
  )({
    caption: 'Variants against each other, on the same questions',
    columns: pairedColumns,
    notes: [
      'As in the table before; Holm’s correction is over all tests of this table after one iteration, and over all after the last.',
    ],
  }),

  /** The accuracy of every contender after every iteration. */
  iterations: tableOf(ofContenders((contender) => [contender]))({
    caption: 'Accuracy over iterations',
    columns: (contenders) => {
      const most = Math.max(...contenders.map(({ curve }) => curve.length));
      return Array.from({ length: most }, (_, iteration) =>
        shares(`iteration_${iteration}`, iteration === 0 ? 'Base' : String(iteration), ({ curve }) =>
          share(curve[iteration]),
        ),
      );
    },
    notes: [
      'Accuracy with its 95 % interval over questions (Wilson’s). Base: the same way of answering before any fine-tuning.',
    ],
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

  /** Every debate beside the vote over its own first answers. */
  'first-vote': tableOf(ofContenders(({ own }) => own?.firstVotes ?? []))({
    caption: 'Debate and vote over its own first answers',
    columns: [
      iterations(),
      percents('debate', 'Debate', ({ debate }) => debate),
      percents('vote', 'Vote over first answers', ({ vote }) => vote),
      differences('difference', 'Difference', ({ difference }) => difference),
      figures('wins', 'Won', 'questions', ({ difference }) => difference.wins, 0),
      figures('losses', 'Lost', 'questions', ({ difference }) => difference.losses, 0),
      pValues('p', 'p', ({ difference }) => difference.pValue),
    ],
    notes: [
      'The same agents and the same first answers: the difference is what the rounds after the first did. Won: questions that the debate got right and the vote did not. From and to: its paired 95 % bootstrap interval. p: the exact sign-flip test of it, not corrected.',
    ],
  }),

  /** The group as one model, beside its debate. */
  distilled: tableOf(ofContenders(({ own }) => own?.distilled ?? []))({
    caption: 'One model distilled from the group, beside its debate',
    columns: [
      names('from', 'From', ({ from }) => from),
      names('objective', 'Learnt by', ({ learnt }) => [...new Set(learnt)].join(', ')),
      percents('model', 'One model', ({ model }) => model),
      percents('debate', 'Debate', ({ debate }) => debate),
      differences('difference', 'Difference', ({ difference }) => difference),
      pValues('p', 'p', ({ difference }) => difference.pValue),
      figures('tokens', 'Tokens', 'a question', ({ tokens }) => tokens, 0),
      figures('debate_tokens', 'Debate', 'tokens a question', ({ debateTokens }) => debateTokens, 0),
    ],
    notes: [
      'The model answers each held-out question once, after the last iteration. Difference: the model less the debate; from and to: its paired 95 % bootstrap interval. p: the exact sign-flip test of it, not corrected. Tokens are read and written ones.',
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
      names('written_answers', 'Equal written: answers', ({ written }) =>
        written === null ? '–' : range(written.votes),
      ),
      percents('written_majority', 'Majority', ({ written }) => written?.majority),
      percents('written_difference', 'Difference', ({ written }) => written?.difference.difference, 'points'),
      pValues('written_p', 'p', ({ written }) => written?.difference.pValue),
    ],
    notes: [
      'Majority: the same agents vote with as many first answers as cost the tokens of their debate, read and written: what a debate has to beat to be worth its price. Equal written: a majority of fewer of these answers, as many as have the tokens that the debate wrote, for a price in which reading is free. From and to: the difference’s paired 95 % bootstrap interval. p: the exact sign-flip test of it, not corrected.',
    ],
  }),
};
