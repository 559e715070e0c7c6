import type { Agent } from '../algorithm/agents.ts';
import type { Speak } from '../algorithm/debate.ts';
import type { Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { resolveModel } from '../engines/resolve-model.ts';
import { baseModelHash } from '../store/base-model-hash.ts';
import { type Claim, claim, endClaims } from '../store/claim.ts';
import { debateRowSchema, type DebateRow } from '../store/debate-row.ts';
import { type ExperimentFiles, experimentFiles, shardName, type Split } from '../store/experiment-files.ts';
import type { ModelRef } from '../store/model-ref.ts';
import { requireModels } from '../store/models.ts';
import type { Store } from '../store/open-store.ts';
import { heldOutQuestionSchema, questionSchema } from '../store/question-rows.ts';
import { readPage } from '../store/row-pages.ts';
import { findRows, readRows, writeRows } from '../store/rows.ts';
import { report } from '../telemetry/reports.ts';
import { allOrFirstFailure } from './all-or-first-failure.ts';
import type { Dependencies } from './dependencies.ts';
import type { Running } from './activity.ts';
import { openAnswerJournal } from './answer-journal.ts';
import { configOf } from './config-of.ts';
import { conversation } from './conversation.ts';
import { journalledAnswers } from './journalled-answers.ts';
import { type ShardSummary, summariseShard } from './shard-summary.ts';

export type DebateShard = {
  readonly experiment: string;
  readonly iteration: number;
  readonly split: Split;
  /** 0-based. */
  readonly shard: number;
  readonly agents: readonly Agent<ModelRef>[];
  /** Of the split `vote`: how many answers to a question, each a first answer of the agents in turn. */
  readonly votes?: number;
};

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
  const config = await configOf(files);
  const path = files.shard(input.iteration, input.split, input.shard);
  const claimed = files.shardClaim(input.iteration, input.split, input.shard);
  if ((await findRows(path)) !== null) {
    await endClaims(claimed);
    return summariseShard(await readRows(path, debateRowSchema), config);
  }
  const mine = await claim(claimed);
  try {
    const debates = await debateShard(input, config, files, mine, dependencies, running);
    mine.require();
    await writeRows(path, debates);
    await mine.finish();
    return summariseShard(debates, config);
  } finally {
    mine.close();
  }
}

async function debateShard(
  input: DebateShard,
  config: ExperimentConfig,
  files: ExperimentFiles,
  mine: Claim,
  { store, endpoints, gate, grader }: Dependencies,
  { signal, show }: Running,
): Promise<DebateRow[]> {
  const endpoint = endpoints.get(config.model.endpoint, config.model.model_name_or_path);
  const questions = await questionsOfShard(input, config, files);
  const baseWeights = await baseModelHash(resolveModel(config.model.model_name_or_path));
  // After the claim: a former attempt begins nothing new. What it has in flight it journals; in this process the journal is one for both.
  const journal = await openAnswerJournal(journalOf(input, config, files, store));
  const answers = journalledAnswers({
    journal,
    config,
    baseWeights,
    endpoint,
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
      await endpoint.prepare(models, signal);
      const converse = await conversation(input, config, files, (a, b) => grader.equal(a, b));
      const beganAt = Date.now();
      const debates = await allOrFirstFailure(questions, signal, async (question, stop) => {
        const tokens = { prompt: 0, completion: 0, firstRound: 0 };
        let truncated = 0;
        const speak: Speak<ModelRef> = async (utterance) => {
          const answer = await answers.give(utterance, stop);
          show({ answers: answers.count(), engineBusyUntil: undefined });
          tokens.prompt += answer.promptTokens;
          tokens.completion += answer.completionTokens;
          if (answer.turnsLeftOut !== undefined) truncated += 1;
          if (utterance.round === 1) tokens.firstRound += answer.promptTokens + answer.completionTokens;
          return answer.text;
        };
        return { ...(await converse(question, speak)), tokens, truncated };
      });
      report('shard answered', {
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
  const path = files.questions(split);
  const rows =
    split === 'train'
      ? await readPage(path, questionSchema, shard, shard_size)
      : await readPage(path, heldOutQuestionSchema, shard, shard_size);
  return rows.map(({ id, text }) => ({ id, text }));
}
