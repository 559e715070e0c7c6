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
