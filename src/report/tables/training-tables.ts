/** What did the methods learn from, what did it cost, and what does it do to other tasks? */
import {
  differences,
  figures,
  names,
  ofContenders,
  percents,
  percentsWithError,
  share,
  tableOf,
} from './build.ts';

export const trainingTables = {
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
