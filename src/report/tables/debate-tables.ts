/** What do the agents do in their debates, and how different are they? */
import type { Ratio } from '../../algorithm/measures/answers.ts';
import {
  differences,
  figures,
  iterations,
  means,
  ofContenders,
  percents,
  pointsWithError,
  shares,
  pValues,
  tableOf,
} from './build.ts';

export const debateTables = {
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
};

/** A mean in another unit. */
function times(ratio: Ratio | null, factor: number): Pick<Ratio, 'value' | 'standardError'> | null {
  return ratio && { value: ratio.value * factor, standardError: ratio.standardError * factor };
}
