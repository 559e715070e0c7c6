/** What is a question taken through, and with how many others at once? */
import { getHeapStatistics } from 'node:v8';
import type { Agent } from '../../algorithm/agents.ts';
import { bootstrap } from '../../algorithm/bootstrap.ts';
import type { AnswerRules, GoldLabel, Question } from '../../algorithm/answer.ts';
import { type Debate, debate, type DebateSettings, type Speak } from '../../algorithm/debate.ts';
import { methods } from '../../algorithm/methods.ts';
import { agentCount, type ExperimentConfig } from '../../config/experiment.ts';
import { ArtifactMissing, ClaimLost } from '../../store/errors.ts';
import { readPage } from '../../store/files/rows.ts';
import { type Model, untuned } from '../../store/models.ts';
import { goldLabelSchema } from '../../store/records/rows.ts';
import type { ExperimentFiles, QuestionSet } from '../../store/store.ts';
import { onAbort } from '../../engines/waiting.ts';

export type DebateShard = {
  readonly experiment: string;
  readonly iteration: number;
  readonly split: QuestionSet;
  /** 0-based. */
  readonly shard: number;
  readonly agents: readonly Agent<Model>[];
  /** Absent where it is the base model of the first agent. */
  readonly summariser?: Model;
  /** Of the splits `vote` and `samples`: how many answers to a question, each a first answer of the agents in turn. */
  readonly votes?: number;
};

/** What one question is taken through. */
export type Conversation = (question: Question, speak: Speak<Model>) => Promise<Debate>;

/** What the shard's questions are taken through: a debate, unless the method learns from another conversation. */
export async function conversation(
  { iteration, split, shard, agents, summariser: named, votes }: DebateShard,
  config: ExperimentConfig,
  files: ExperimentFiles,
  answers: AnswerRules,
): Promise<Conversation> {
  const settings = { ...debateSettings(config, iteration), rounds: roundsOf(split, config) };
  const [first] = agents;
  if (split === 'train' && methods[config.method].learning?.conversation === 'bootstrap' && first) {
    const gold = await goldOfShard(files, shard, config.shard_size);
    return (question, speak) =>
      bootstrap(question, first, settings, goldOf(gold, question, files), speak, answers);
  }
  const summariser = summariserOf(agents, named);
  if (votes !== undefined) {
    const voters = { agents: inTurn(agents, votes), summariser };
    return (question, speak) => debate(question, voters, { ...settings, rounds: 1 }, speak, answers);
  }
  return (question, speak) => debate(question, { agents, summariser }, settings, speak, answers);
}

/** The distilled model answers once. */
export function roundsOf(split: QuestionSet, { rounds }: Pick<ExperimentConfig, 'rounds'>): number {
  return split === 'distilled' ? 1 : rounds;
}

/** The paper has one summariser for all agents: the model that is named, or the base model of the first agent. */
export function summariserOf(agents: readonly Agent<Model>[], named: Model | undefined): Model {
  if (named !== undefined) return named;
  const [model] = agents.flatMap(({ models }) => Object.values(models));
  if (model === undefined) throw new RangeError('A debate without agents has no summariser.');
  return untuned(model.base);
}

/** As many voters, numbered on, with the agents' models in turn: the first N are the agents themselves. */
function inTurn(agents: readonly Agent<Model>[], votes: number): Agent<Model>[] {
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
  if (label === undefined) throw new ArtifactMissing(`${goldLabels.where} (${id})`);
  return label;
}

/** The settings of the debates of an iteration. */
export function debateSettings(config: ExperimentConfig, iteration: number): DebateSettings {
  const { roles, stance = 'debate', identified } = methods[config.method];
  return {
    seed: config.seed,
    iteration,
    rounds: config.rounds,
    summarize: config.summarize,
    maxOthers: config.max_others,
    showThinking: config.show_thinking ?? false,
    stopWhenUnanimous: config.stop_when_unanimous,
    prompts: config.prompts,
    roles,
    stance,
    identities: identified ? agentCount(config) : null,
  };
}

/**
 * Works on all items at once. After a failure the others are stopped, and have stopped before it is thrown. Only a lost claim stops
 * nothing: an attempt without its claim begins nothing more, and the attempt that has it uses what is in flight.
 */
export async function allOrFirstFailure<Item, Result>(
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
        if (!stop.aborted && !(error instanceof ClaimLost)) failure.abort(error);
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

/** What a debate needs while it is under way. */
export type Need = {
  /** The endpoint that answers, and how many requests it has in flight at most. */
  readonly endpoint: string;
  readonly slots: number;
  /** How many answers are given in the debate, and how many tokens each may have. */
  readonly answers: number;
  readonly maxTokens: number;
  /** The number of dialogues that contain an answer: its agent's own, and those of the agents to whom it is shown. */
  readonly copies: number;
};

export type Admission = {
  /**
   * Does `work` when there is room for it, in order of arrival. A debate that needs more than the whole room is held alone.
   *
   * @throws the signal's reason when it is aborted before that
   */
  readonly admit: <Result>(need: Need, signal: AbortSignal, work: () => Promise<Result>) => Promise<Result>;
  /** Remembers how long answers are: some servers give longer ones than were asked for. */
  readonly sawAnswer: (text: string) => void;
};

/**
 * A debate under way always waits for at least one answer, so twice as many debates as requests keep an endpoint busy, even while answers
 * are compared.
 */
const debatesPerSlot = 2;

/** Holds for texts in most languages. Where a character takes two bytes, a token has fewer characters. */
const bytesPerToken = 4;

/** @param room bytes */
export function createAdmission(room: number): Admission {
  let taken = 0;
  let longestAnswer = 0;
  const underWay = new Map<string, number>();
  /** In order of arrival. */
  const waiting = new Set<{ readonly need: Need; readonly begin: (bytes: number) => void }>();

  const bytesOf = ({ answers, maxTokens, copies }: Need): number =>
    answers * copies * Math.max(maxTokens * bytesPerToken, longestAnswer);
  const count = (endpoint: string, by: 1 | -1): void => {
    underWay.set(endpoint, (underWay.get(endpoint) ?? 0) + by);
  };

  function beginWaiting(): void {
    for (const next of waiting) {
      const { endpoint, slots } = next.need;
      // The others may be for another endpoint.
      if ((underWay.get(endpoint) ?? 0) >= debatesPerSlot * slots) continue;
      const bytes = bytesOf(next.need);
      // Those behind may need less, but this one would then wait without end.
      if (taken > 0 && taken + bytes > room) return;
      waiting.delete(next);
      taken += bytes;
      count(endpoint, 1);
      next.begin(bytes);
    }
  }

  /** @returns the bytes that are now taken for it */
  async function untilRoom(need: Need, signal: AbortSignal): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      const begin = (bytes: number): void => {
        stopListening();
        resolve(bytes);
      };
      const next = { need, begin };
      const stopListening = onAbort(signal, () => {
        waiting.delete(next);
        // An abort's reason is whatever the caller gave; it is passed on as it is.
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        reject(signal.reason);
        beginWaiting();
      });
      waiting.add(next);
      beginWaiting();
    });
  }

  return {
    async admit(need, signal, work) {
      signal.throwIfAborted();
      const bytes = await untilRoom(need, signal);
      try {
        return await work();
      } finally {
        taken -= bytes;
        count(need.endpoint, -1);
        beginWaiting();
      }
    },
    sawAnswer(text) {
      longestAnswer = Math.max(longestAnswer, 2 * text.length);
    },
  };
}

/** The debates of this process. A quarter of its heap: requests, garbage and all else need room too. */
export const debatesInMemory = createAdmission(getHeapStatistics().heap_size_limit / 4);
