/** What is measured of a method, beside how right it is: the tables of src/report/analyse/measures.ts, of its cost and of transfer. */
import { isInWindow } from '../../algorithm/labelled-debate.ts';
import type { Ratio } from '../../algorithm/measures/answers.ts';
import {
  differences,
  figures,
  iterations,
  means,
  names,
  ofContenders,
  percents,
  pointsWithError,
  pValues,
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

export const measureTables = {
  /** How diverse the agents' first answers are. None where nothing was measured. */
  diversity: tableOf(ofContenders(({ own }) => own?.diversity.rows ?? []))({
    caption: 'Diversity of the agents’ first answers',
    columns: [
      iterations(),
      means('dissimilarity', 'Embedding dissimilarity', '0 to 2', (each) => each.dissimilarity, 3),
      means('nll_of_others', 'NLL of others', 'nats a token', (each) => each.nllOfOthers, 3),
      means('nll_of_own', 'NLL of own', 'nats a token', (each) => each.nllOfOwn, 3),
      means(
        'kl_between_agents',
        'KL between agents',
        'nats in 1,000 tokens',
        (each) => times(each.betweenAgents, 1000),
        2,
      ),
      means(
        'kl_from_base',
        'KL from the base',
        'nats in 1,000 tokens',
        (each) => times(each.fromBase, 1000),
        2,
      ),
      means('distinct_answers', 'Distinct answers', 'a question', (each) => each.distinctAnswers, 2),
    ],
    notes: (_, rows) => [
      'NLL of others: how unlikely the other agents’ answers are for an agent; of own: its own answers, which is how uncertain the models are by themselves. Only what is above that is a difference between agents. Methods that learn from other numbers of rows are not compared by these figures: more rows alone make models surer and more alike.',
      `Means over questions ± one standard error. Texts were made into vectors by ${[...new Set(rows.map(({ encoder }) => encoder))].join(', ')}.`,
    ],
  }),

  /** How agents changed their answers from one round to the next. */
  flips: tableOf(ofContenders(({ own }) => own?.flips ?? []))({
    caption: 'Flips from round to round',
    columns: [
      iterations(),
      figures('round', 'To', 'round', ({ round }) => round, 0),
      shares('wrong_to_right', 'Wrong to right', (each) => each.wrongToRight),
      shares('right_to_wrong', 'Right to wrong', (each) => each.rightToWrong),
      shares('corrected', 'Of wrong ones, corrected', (each) => each.corrected),
      shares('spoilt', 'Of right ones, spoilt', (each) => each.spoilt),
      shares('conformed', 'Of dissenters, conformed', (each) => each.conformed),
    ],
    notes: [
      'Shares of the agents’ answers to held-out questions, with 95 % intervals over questions. A dissenter’s answer stood against the majority of the other agents; it conformed when it went over to it.',
    ],
  }),

  /** What summaries did to the answers of debates. */
  summaries: tableOf(ofContenders(({ own }) => own?.summaries ?? []))({
    caption: 'Answers after a summary',
    columns: [
      iterations(),
      shares('helped', 'Helped', ({ helped }) => helped),
      shares('harmed', 'Harmed', ({ harmed }) => harmed),
      pointsWithError('net', 'Net', ({ net }) => net),
      differences('with_less_without', 'Difference', ({ versusWithout }) => versusWithout),
      pValues('p', 'p', ({ versusWithout }) => versusWithout?.pValue),
    ],
    notes: [
      'Of the answers given after a summary was shown: those that were wrong before and right after, and the reverse, with 95 % intervals over questions; net ± one standard error. That alone does not show that the summary was the cause. For the base model the difference shows it: the accuracy of the debates with summaries less that of the same method without; later the two have also learnt from different debates. From and to: its paired 95 % bootstrap interval. p: the exact sign-flip test of it, not corrected.',
    ],
  }),

  /** How many answers ended before their end, or could not be read. */
  answers: tableOf(ofContenders(({ own }) => own?.answers ?? []))({
    caption: 'Answers that were cut off or could not be read',
    columns: [
      iterations(),
      percents('cut_off', 'Responses cut off', ({ responses }) => responses.count / responses.of),
      figures('responses', 'Of', 'responses', ({ responses }) => responses.of, 0),
      percents('summaries_cut_off', 'Summaries cut off', ({ summaries }) => summaries.count / summaries.of),
      percents('unreadable', 'No answer read', ({ unreadable }) => unreadable.count / unreadable.of),
      figures('answers', 'Of', 'answers', ({ unreadable }) => unreadable.of, 0),
    ],
    notes: [
      'Of the agents’ responses to held-out questions in all rounds. Cut off: the model had not ended its response at max_tokens, or the server stopped it; of those whose finish reason is known. No answer read: no answer was found in the response, which counts as wrong and has no vote.',
    ],
  }),

  /** How far the agents agree on held-out questions, and what a better vote could still gain. */
  consensus: tableOf(ofContenders(({ own }) => own?.consensus ?? []))({
    caption: 'Agreement of the agents on held-out questions',
    columns: [
      iterations(),
      shares('consensus_share', 'Agree with the majority', (each) => each.consensusShare),
      shares('unanimous', 'Unanimous', ({ unanimous }) => unanimous),
      shares('maj_at_n', 'maj@N', ({ majAtN }) => majAtN),
      shares('pass_at_n', 'pass@N', ({ passAtN }) => passAtN),
      pointsWithError('oracle_gap', 'Oracle gap', ({ oracleGap }) => oracleGap),
      means('error_correlation', 'Error correlation', '−1 to 1', ({ errors }) => errors.correlation, 3),
      shares('same_wrong', 'Same wrong answer', ({ errors }) => errors.sameWrong),
    ],
    notes: [
      'Of last answers: the share that agrees with their majority, and the questions where all do. Of the N first answers: the questions that their majority gets right, and those that any of them does; the oracle gap is the difference, which a perfect choice among the answers would gain. Error correlation: the mean over pairs of agents of the correlation of being wrong, 0 where their errors have nothing to do with each other; same wrong answer: of pairs that are both wrong, those that answer alike. A vote helps least where both are high.',
    ],
  }),

  /** How the agents voted on the training questions. */
  votes: tableOf(ofContenders(({ own }) => own?.votes ?? []))({
    caption: 'Votes on the training questions',
    columns: [
      figures('iteration', 'Iteration', 'of them', ({ iteration }) => iteration, 0),
      figures('questions', 'Voted on', 'questions', ({ questions }) => questions, 0),
      percents('unanimous', 'Unanimous', ({ unanimous }) => unanimous),
      percents('ties', 'Ties, drawn', ({ ties }) => ties),
      percents('without_label', 'No consensus', ({ withoutLabel }) => withoutLabel),
    ],
    notes: [
      'Unanimous: all last answers are equal. Ties: several last answers had the most votes, and a seeded draw chose among them. No consensus: no answer could be read, or the most frequent one had fewer votes than min_votes or more than max_votes; such a question is not learnt from.',
    ],
  }),

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

/** A mean in another unit. */
function times(ratio: Ratio | null, factor: number): Pick<Ratio, 'value' | 'standardError'> | null {
  return ratio && { value: ratio.value * factor, standardError: ratio.standardError * factor };
}
