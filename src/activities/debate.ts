import type { Agent } from '../algorithm/agents.ts';
import { debate as runDebate, type Utterance } from '../algorithm/debate.ts';
import type { Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { type Claim, claim } from '../store/claim.ts';
import { debateRowSchema, type DebateRow } from '../store/debate-row.ts';
import { type ExperimentFiles, experimentFiles, type Split } from '../store/experiment-files.ts';
import { openJournal } from '../store/journal.ts';
import type { ModelRef } from '../store/model-ref.ts';
import { requireModels } from '../store/models.ts';
import { heldOutQuestionSchema, questionSchema } from '../store/question-rows.ts';
import { readPage } from '../store/row-pages.ts';
import { findRows, readRows, writeRows } from '../store/rows.ts';
import { report } from '../telemetry/reports.ts';
import type { Dependencies } from './dependencies.ts';
import type { Running } from './activity.ts';
import { afterFormerAttempt } from './after-former-attempt.ts';
import { configOf } from './config-of.ts';
import { journalledAnswers } from './journalled-answers.ts';
import { type ShardSummary, summariseShard } from './shard-summary.ts';

export type DebateShard = {
  readonly experiment: string;
  readonly iteration: number;
  readonly split: Split;
  /** 0-based. */
  readonly shard: number;
  readonly agents: readonly Agent<ModelRef>[];
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
  if ((await findRows(path)) !== null) return summariseShard(await readRows(path, debateRowSchema), config);
  const mine = await claim(files.shardClaim(input.iteration, input.split, input.shard));
  try {
    const debates = await afterFormerAttempt(path, running.signal, () =>
      debateShard(input, config, files, mine, dependencies, running),
    );
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
  // After the claim: an attempt of another process, if there is one, journals no more than what it has in flight.
  const journal = await openJournal(files.shardJournal(input.iteration, input.split, input.shard));
  const answers = journalledAnswers({
    journal,
    config,
    endpoint,
    claim: mine,
    signal,
    onBusy: (until) => show({ engineBusyUntil: until.toISOString() }),
  });
  const answersEach = config.rounds + (config.summarize ? config.rounds - 1 : 0);
  const total = questions.length * input.agents.length * answersEach;
  try {
    show({ answers: 0, total });
    return await gate.shared(signal, async () => {
      const models = input.agents.flatMap(({ generation, critic }) => [generation, critic]);
      await requireModels(store, models);
      await endpoint.prepare(models, signal);
      const settings = debateSettings(config, input.iteration);
      const cast = { agents: input.agents, summariser: { kind: 'base' } as const };
      const equal = (a: string, b: string) => grader.equal(a, b);
      const beganAt = Date.now();
      const debates = await allOrFirstFailure(questions, signal, async (question, stop) => {
        const tokens = { prompt: 0, completion: 0 };
        const speak = async (utterance: Utterance<ModelRef>): Promise<string> => {
          const answer = await answers.give(utterance, stop);
          show({ answers: answers.count(), engineBusyUntil: undefined });
          tokens.prompt += answer.promptTokens;
          tokens.completion += answer.completionTokens;
          return answer.text;
        };
        return { ...(await runDebate<ModelRef>(question, cast, settings, speak, equal)), tokens };
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

/** Debates all questions at once. After a failure the others are stopped, and have stopped before it is thrown. */
async function allOrFirstFailure<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item, stop: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const ended = await Promise.allSettled(
    items.map(async (item) => {
      try {
        return await work(item, stop);
      } catch (error) {
        if (!stop.aborted) failure.abort(error);
        throw error;
      }
    }),
  );
  if (failure.signal.aborted) throw failure.signal.reason;
  return ended.map((each) => {
    if (each.status === 'rejected') throw each.reason;
    return each.value;
  });
}

function debateSettings(config: ExperimentConfig, iteration: number) {
  return {
    seed: config.seed,
    iteration,
    rounds: config.rounds,
    summarize: config.summarize,
    maxOthers: config.max_others,
    stopWhenUnanimous: config.stop_when_unanimous,
    prompts: config.prompts,
  };
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
