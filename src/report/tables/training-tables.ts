/** What the methods learned from, what it cost, and what it does to other tasks. */
import { isInWindow } from '../../algorithm/labelled-debate.ts';
import {
  differences,
  figures,
  names,
  ofContenders,
  percents,
  pointsWithError,
  share,
  shares,
  tableOf,
} from './build.ts';

const goldOnlyMeasures =
  'Judged by the gold answers of the training questions after the iteration was trained. They only measure: no label, dataset or choice depends on them.';

/** In a report, of labels by their votes and of the rows that models learnt from. */
export const calibrationNote =
  'Of all votes: the share of the votes that a label had, on average. If votes were calibrated, as many labels would be right. Calibration error: the mean over labels of how far the share of right labels with as many votes is from their share of the votes, each number of votes being a bin (ECE).';
export const learntNote =
  'Rows of the datasets as they were built. A row of imitation has one side, its answer; a pair has two, the chosen answer and the rejected one. Right: the share of sides that are what they should be, chosen ones right and rejected ones wrong.';

export const trainingTables = {
  /** What each method cost, and what it gained for that. */
  cost: tableOf(ofContenders(({ curve, own }) => (own === null ? [] : [{ curve, ...own.cost }])))({
    caption: 'Cost, the mean of one seed',
    columns: [
      percents('accuracy', 'At the end', ({ curve }) => curve.at(-1)?.accuracy),
      figures('training_tokens_in', 'Training: read', 'tokens', ({ training }) => training.tokensIn, 0),
      figures('training_tokens_out', 'Training: written', 'tokens', ({ training }) => training.tokensOut, 0),
      figures('tokens_trained', 'Trained on', 'tokens', ({ training }) => training.tokensTrained, 0),
      figures('training_seconds', 'Training', 's', ({ training }) => training.deviceSeconds, 0),
      figures('answer_tokens_in', 'One answer: read', 'tokens', ({ answer }) => answer.tokensIn, 0),
      figures('answer_tokens_out', 'One answer: written', 'tokens', ({ answer }) => answer.tokensOut, 0),
      figures('answer_seconds', 'One answer', 's', ({ answer }) => answer.deviceSeconds, 2),
      figures('tokens', 'In all', 'tokens', ({ tokens }) => tokens, 0),
      figures(
        'points_per_million_tokens',
        'Gain',
        'points a million',
        ({ pointsPerMillionTokens }) => pointsPerMillionTokens,
        2,
      ),
    ],
    notes: [
      'One rule for all methods: what its training took (training debates and fine-tunes), and what one answer takes at the end, which for a debate is a whole debate. Evaluations that only draw the curve are no cost, that of the base model among them. In all: the training and one answer to each held-out question. Gain: percentage points over one answer of the base model, for each million of these tokens. Answers that experiments share are charged to each that uses them, though they were asked for once: their tokens as counted, and their seconds at the rate, by written tokens, of the experiment that found the fewest of them done. Seconds are those of phases that use the device, on several GPUs multiply them by their number.',
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

  /** How right the labels were, by the number of votes. */
  labels: tableOf(
    ofContenders(({ own }) =>
      (own?.labels ?? []).flatMap(({ iteration, ofVotes, minVotes, maxVotes, byVotes }) =>
        byVotes.map((each) => ({
          iteration,
          expected: each.votes / ofVotes,
          learntFrom: isInWindow(each.votes, { minVotes, maxVotes }),
          ...each,
        })),
      ),
    ),
  )({
    caption: 'Label precision: how often the label of a training question was right',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      figures('votes', 'Votes for it', 'answers', ({ votes }) => votes, 0),
      percents('expected', 'Of all votes', ({ expected }) => expected),
      figures('questions', 'Questions', 'of all seeds', ({ precision }) => precision?.of, 0),
      shares('precision', 'Right', ({ precision }) => precision),
      names('learnt_from', 'Learnt from', ({ learntFrom }) => (learntFrom ? 'yes' : 'no')),
    ],
    notes: [goldOnlyMeasures],
  }),

  /** Whether labels are right as often as their share of the votes says. */
  calibration: tableOf(
    ofContenders(({ own }) =>
      (own?.labels ?? []).flatMap(({ iteration, calibration }) =>
        calibration === null ? [] : [{ iteration, ...calibration }],
      ),
    ),
  )({
    caption: 'Calibration of the votes on training questions',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      figures('labels', 'Labels', 'of all seeds', ({ right }) => right.of, 0),
      percents('expected', 'Of all votes', ({ expected }) => expected),
      shares('right', 'Right', ({ right }) => right),
      pointsWithError('error', 'Calibration error', ({ error: value, standardError }) => ({
        value,
        standardError,
      })),
    ],
    notes: [calibrationNote, goldOnlyMeasures],
  }),

  /** How right the first answers were that labels choose, and how wrong the others. */
  purity: tableOf(ofContenders(({ own }) => own?.labels ?? []))({
    caption: 'Answers that were chosen and rejected',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      shares('precision', 'Labels right', ({ precision }) => precision),
      shares('chosen_right', 'Chosen ones right', ({ chosenRight }) => chosenRight),
      shares('rejected_wrong', 'Rejected ones wrong', ({ rejectedWrong }) => rejectedWrong),
    ],
    notes: [
      'Of first answers to the training questions with a label: those that equal it are chosen, and learnt from unless they were cut off; the others are rejected.',
      goldOnlyMeasures,
    ],
  }),

  /** How right was what models learnt from. */
  learnt: tableOf(
    ofContenders(({ own }) =>
      (own?.labels ?? []).flatMap(({ iteration, purity }) =>
        (purity?.byRole ?? []).map((each) => ({ iteration, ...each })),
      ),
    ),
  )({
    caption: 'What models learnt from',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      names('role', 'Model', ({ role }) => role),
      figures('sides', 'Sides', 'of all seeds', ({ right }) => right?.of, 0),
      shares('right', 'Right', ({ right }) => right),
      shares('chosen_right', 'Chosen ones right', ({ chosenRight }) => chosenRight),
      shares('rejected_wrong', 'Rejected ones wrong', ({ rejectedWrong }) => rejectedWrong),
    ],
    notes: [learntNote, goldOnlyMeasures],
  }),

  /** Zero-shot transfer: what learning on one task does to another. */
  transfer: tableOf(
    ofContenders(({ learns, own }) => (own?.transfer ?? []).map((each) => ({ learns, ...each }))),
  )({
    caption: 'Zero-shot transfer to other tasks',
    columns: [
      names('task', 'Evaluated on', ({ task }) => task),
      shares('before', 'Base', ({ before }) => share(before)),
      shares('after', 'Last iteration', ({ learns, after }) => (learns ? share(after) : null)),
      differences('change', 'Change', ({ change }) => change),
    ],
    notes: [
      'Nothing was learnt from these tasks. Change: on the same questions, with its paired 95 % bootstrap interval.',
    ],
  }),
};
