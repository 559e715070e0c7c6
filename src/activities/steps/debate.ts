import type { Speak } from '../../algorithm/debate.ts';
import { addCutOff, countCutOff, type CutOff, noneCutOff } from '../../algorithm/finish-reasons.ts';
import { labelByConsensus } from '../../algorithm/labelled-debate.ts';
import type { Question } from '../../algorithm/question.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { emit } from '../../observe/events.ts';
import { type Claim, claim, endClaims } from '../../store/files/claim.ts';
import { findRows, readPage, readRows, writeRowsOnce } from '../../store/files/rows.ts';
import { type Model, requireModels } from '../../store/models.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import {
  type DebateRow,
  debateRowSchema,
  heldOutQuestionSchema,
  questionSchema,
} from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles, shardName, type Store } from '../../store/store.ts';
import type { Running } from '../activity.ts';
import { openAnswerJournal } from '../asking/answer-journal.ts';
import { allOrFirstFailure, conversation, type DebateShard } from '../asking/conversation.ts';
import { journalledAnswers } from '../asking/journalled-answers.ts';
import { configOf, type Dependencies } from '../dependencies.ts';

/**
 * Takes a shard of questions through all agents and rounds, each question moving on as soon as its own answers are there. Every
 * answer is journalled when it comes, so that another attempt asks only for what is missing; a finished shard is never begun again.
 */
export async function debate(
  input: DebateShard,
  dependencies: Dependencies,
  running: Running,
): Promise<ShardSummary> {
  const files = experimentFiles(dependencies.store, input.experiment);
  const config = await configOf(files, input.iteration);
  const shard = files.shard(input.iteration, input.split, input.shard);
  if ((await findRows(shard)) !== null) {
    await endClaims(shard);
    return summariseShard(await readRows(shard, debateRowSchema), config);
  }
  const mine = await claim(shard);
  const debates = await debateShard(input, config, files, mine, dependencies, running);
  await mine.require();
  const finished = await writeRowsOnce(shard, debates, debateRowSchema);
  await mine.finish();
  return summariseShard(finished, config);
}

async function debateShard(
  input: DebateShard,
  config: ExperimentConfig,
  files: ExperimentFiles,
  mine: Claim,
  { store, endpoints, gate, tasks }: Dependencies,
  { signal, show }: Running,
): Promise<DebateRow[]> {
  const questions = await questionsOfShard(input, config, files);
  // After the claim: a former attempt begins nothing new. What it has in flight it journals; in this process the journal is one for both.
  const journal = await openAnswerJournal(journalOf(input, config, files, store));
  const answers = journalledAnswers({
    journal,
    config,
    endpoints,
    claim: mine,
    signal,
    onBusy: (until) => show({ engineBusyUntil: until.toISOString() }),
  });
  const answersEach = config.rounds + (config.summarize ? config.rounds - 1 : 0);
  const total = questions.length * (input.votes ?? input.agents.length * answersEach);
  try {
    show({ answers: 0, total });
    return await gate.shared(signal, async () => {
      const models = input.agents.flatMap((agent) => Object.values(agent.models));
      await requireModels(store, models);
      await endpoints.serve(models, signal);
      const converse = await conversation(input, config, files, tasks.open(config.task).answers);
      const beganAt = Date.now();
      const debates = await allOrFirstFailure(questions, signal, async (question, stop) => {
        const tokens = { prompt: 0, completion: 0, firstRound: 0 };
        let truncated = 0;
        const speak: Speak<Model> = async (utterance) => {
          const answer = await answers.give(utterance, stop);
          show({ answers: answers.count(), engineBusyUntil: undefined });
          tokens.prompt += answer.promptTokens;
          tokens.completion += answer.completionTokens;
          if (answer.turnsLeftOut !== undefined) truncated += 1;
          if (utterance.round === 1) tokens.firstRound += answer.promptTokens + answer.completionTokens;
          return { text: answer.text, finishReason: answer.finishReason };
        };
        return { ...(await converse(question, speak)), tokens, truncated };
      });
      emit('shard answered', {
        endpoint: config.model.endpoint,
        answers: answers.count(),
        asked: answers.asked(),
        beganAt,
        endedAt: Date.now(),
      });
      return debates;
    });
  } finally {
    journal.close();
  }
}

/**
 * The journal of the shard's answers: the experiment's own, or the one that it shares with those that ask the same questions of the same model with the same
 * seed. Votes on held-out questions begin with the first answers of their debates, and find them there.
 */
function journalOf(
  { iteration, split, shard }: DebateShard,
  { shared_answers: shared, seed }: ExperimentConfig,
  files: ExperimentFiles,
  store: Store,
): string {
  const asked = split === 'vote' ? 'heldout' : split;
  return shared === undefined
    ? files.shardJournal(iteration, asked, shard)
    : store.sharedAnswers(shared, `seed-${seed}`, shardName(iteration, asked, shard));
}

/** The shard's questions. Gold answers of held-out ones stay behind: a debate is given questions alone. */
async function questionsOfShard(
  { split, shard }: DebateShard,
  { shard_size }: ExperimentConfig,
  files: ExperimentFiles,
): Promise<Question[]> {
  const questions = files.questions(split);
  const rows =
    split === 'train'
      ? await readPage(questions, questionSchema, shard, shard_size)
      : await readPage(questions, heldOutQuestionSchema, shard, shard_size);
  return rows.map(({ id, text }) => ({ id, text }));
}

/** Counts over debates: small enough to travel through Temporal. */
export type ShardSummary = {
  readonly consensus: ExperimentResult['iterations'][number]['consensus'];
  readonly tokens: TokenCount & { readonly firstRound: number };
  /** Absent in the histories of experiments that an older version began. */
  readonly cutOff?: CutOff;
};
export type TokenCount = { readonly prompt: number; readonly completion: number };

/** Counts what the votes of a shard looked like, and its tokens. */
export function summariseShard(
  debates: readonly DebateRow[],
  { label_source: label, min_votes: minVotes }: Pick<ExperimentConfig, 'label_source' | 'min_votes'>,
): ShardSummary {
  const count = (holds: (debate: DebateRow) => boolean) => debates.filter(holds).length;
  const sum = (of: (debate: DebateRow) => number) => debates.reduce((total, debate) => total + of(debate), 0);
  return {
    consensus: {
      questions: debates.length,
      unanimous: count(({ consensus, answers }) => answers.length > 1 && consensus.votes === answers.length),
      ties: count(({ consensus }) => consensus.tied > 1),
      withoutLabel: count((debate) => label === 'consensus' && labelByConsensus(debate, minVotes) === null),
      unparsableAnswers: sum(({ answers }) => answers.flat().filter((answer) => answer === null).length),
      truncatedPrompts: sum(({ truncated }) => truncated),
      oneVote: count(
        (debate) =>
          label === 'consensus' &&
          debate.answers.length > 1 &&
          debate.consensus.votes === 1 &&
          labelByConsensus(debate, minVotes) !== null,
      ),
      answers: sum(({ answers }) => answers.flat().length),
    },
    tokens: {
      prompt: sum(({ tokens }) => tokens.prompt),
      completion: sum(({ tokens }) => tokens.completion),
      firstRound: sum(({ tokens }) => tokens.firstRound),
    },
    cutOff: debates.map(({ finishReasons }) => countCutOff(finishReasons)).reduce(addCutOff, noneCutOff),
  };
}
