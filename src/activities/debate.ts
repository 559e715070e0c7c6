import type { Agent } from '../algorithm/agents.ts';
import { bootstrap } from '../algorithm/bootstrap.ts';
import { type Debate, debate as runDebate, type DebateSettings, type Speak } from '../algorithm/debate.ts';
import type { AnswerEquality } from '../algorithm/consensus.ts';
import { methods } from '../algorithm/methods/methods.ts';
import type { GoldLabel, Question } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { ArtifactMissing } from '../store/artifact-missing.ts';
import { type Claim, claim } from '../store/claim.ts';
import { debateRowSchema, type DebateRow } from '../store/debate-row.ts';
import { type ExperimentFiles, experimentFiles, shardName, type Split } from '../store/experiment-files.ts';
import type { ModelRef } from '../store/model-ref.ts';
import { requireModels } from '../store/models.ts';
import type { Store } from '../store/open-store.ts';
import { goldLabelSchema, heldOutQuestionSchema, questionSchema } from '../store/question-rows.ts';
import { readPage } from '../store/row-pages.ts';
import { findRows, readRows, writeRows } from '../store/rows.ts';
import { report } from '../telemetry/reports.ts';
import type { Dependencies } from './dependencies.ts';
import type { Running } from './activity.ts';
import { openAnswerJournal } from './answer-journal.ts';
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
  if ((await findRows(path)) !== null) return summariseShard(await readRows(path, debateRowSchema), config);
  const mine = await claim(files.shardClaim(input.iteration, input.split, input.shard));
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
  // After the claim: whoever had the shard before journals no more than what it has in flight.
  const journal = await openAnswerJournal(journalOf(input, config, files, store));
  const answers = journalledAnswers(journal, config, endpoint, mine, (until) =>
    show({ engineBusyUntil: until.toISOString() }),
  );
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
        const speak: Speak<ModelRef> = async (utterance) => {
          const answer = await answers.give(utterance, stop);
          show({ answers: answers.count(), engineBusyUntil: undefined });
          tokens.prompt += answer.promptTokens;
          tokens.completion += answer.completionTokens;
          if (utterance.round === 1) tokens.firstRound += answer.promptTokens + answer.completionTokens;
          return answer.text;
        };
        return { ...(await converse(question, speak)), tokens };
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

type Conversation = (question: Question, speak: Speak<ModelRef>) => Promise<Debate>;

/** What the shard's questions are taken through: a debate, unless the method learns from another conversation. */
async function conversation(
  { iteration, split, shard, agents, votes }: DebateShard,
  config: ExperimentConfig,
  files: ExperimentFiles,
  equal: AnswerEquality,
): Promise<Conversation> {
  const settings = debateSettings(config, iteration);
  const [first] = agents;
  if (split === 'train' && methods[config.method].learning?.conversation === 'bootstrap' && first) {
    const gold = await goldOfShard(files, shard, config.shard_size);
    return (question, speak) =>
      bootstrap(question, first, settings, goldOf(gold, question, files), speak, equal);
  }
  const summariser = { kind: 'base' } as const;
  if (votes !== undefined) {
    const voters = { agents: inTurn(agents, votes), summariser };
    return (question, speak) => runDebate(question, voters, { ...settings, rounds: 1 }, speak, equal);
  }
  return (question, speak) => runDebate(question, { agents, summariser }, settings, speak, equal);
}

/** As many voters, numbered on, with the agents' models in turn: the first N are the agents themselves. */
function inTurn(agents: readonly Agent<ModelRef>[], votes: number): Agent<ModelRef>[] {
  return Array.from({ length: votes }, (_, index) => {
    const models = agents[index % agents.length]?.models ?? {};
    return { number: index + 1, models };
  });
}

async function goldOfShard(
  { goldLabels }: ExperimentFiles,
  shard: number,
  shardSize: number,
): Promise<ReadonlyMap<string, GoldLabel>> {
  const page = await readPage(goldLabels, goldLabelSchema, shard, shardSize);
  return new Map(page.map((label) => [label.questionId, label]));
}

function goldOf(
  gold: ReadonlyMap<string, GoldLabel>,
  { id }: Question,
  { goldLabels }: ExperimentFiles,
): GoldLabel {
  const label = gold.get(id);
  if (label === undefined) throw new ArtifactMissing(`${goldLabels} (${id})`);
  return label;
}

function debateSettings(config: ExperimentConfig, iteration: number): DebateSettings {
  const { roles, stance = 'debate', identified = false } = methods[config.method];
  return {
    seed: config.seed,
    iteration,
    rounds: config.rounds,
    summarize: config.summarize,
    maxOthers: config.max_others,
    stopWhenUnanimous: config.stop_when_unanimous,
    prompts: config.prompts,
    roles,
    stance,
    identified,
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
