import type { AnswerRules, Question } from '../../algorithm/answer.ts';
import {
  addCutOff,
  addEarlyStop,
  countCutOff,
  type CutOff,
  type EarlyStop,
  noEarlyStop,
  noneCutOff,
} from '../../algorithm/measures/cost.ts';
import type { Speak } from '../../algorithm/debate.ts';
import { labelByConsensus, withLabelVote } from '../../algorithm/labelled-debate.ts';
import { baseModelsOf, hasSummaries, inTraining } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { consensusLabels } from '../../config/training-plan.ts';
import type { Endpoints } from '../../engines/endpoint/open.ts';
import { emit } from '../../observe/events.ts';
import { type Claim, claim, endClaims, type JournalPlace } from '../../store/files/take-over.ts';
import { findRows, readPage, streamRows, writeRowsOnce } from '../../store/files/rows.ts';
import { openSpool, type Spool } from '../../store/files/journal.ts';
import { type Model, requireModels } from '../../store/models.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import {
  type DebateRow,
  debateRowSchema,
  heldOutQuestionSchema,
  questionSchema,
} from '../../store/records/rows.ts';
import {
  type ExperimentFiles,
  experimentFiles,
  questionsOf,
  shardName,
  type Store,
} from '../../store/store.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Dependencies, Running } from '../activity.ts';
import {
  allOrFirstFailure,
  conversation,
  type DebateShard,
  debatesInMemory,
  roundsOf,
  summariserOf,
} from '../asking/conversation.ts';
import {
  journalledAnswers,
  noWait,
  openAnswerJournal,
  showFineTune,
  showWaits,
} from '../asking/journalled-answers.ts';

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
  const inForce = await configInForce(files, input.iteration);
  const config = questionsOf(input.split) === 'train' ? inTraining(inForce, input.iteration) : inForce;
  const shard = files.shard(input.iteration, input.split, input.shard);
  if ((await findRows(shard)) !== null) {
    await endClaims(shard);
    return summaryOf(input, config, dependencies);
  }
  const mine = await claim(shard);
  const journal = journalOf(input, config, files, dependencies.store);
  const spool = await openSpool(journal.path);
  try {
    const summary = await debateShard({ input, config, files, journal, spool, mine }, dependencies, running);
    await mine.require();
    const own = await writeRowsOnce(shard, spool.lines, debateRowSchema);
    await mine.finish();
    return own ? summary : await summaryOf(input, config, dependencies);
  } finally {
    spool.close();
  }
}

async function summaryOf(
  input: DebateShard,
  config: ExperimentConfig,
  { store, tasks }: Pick<Dependencies, 'store' | 'tasks'>,
): Promise<ShardSummary> {
  const shard = experimentFiles(store, input.experiment).shard(input.iteration, input.split, input.shard);
  const summary = summarising(input, config, tasks.open(config.task).answers);
  for await (const row of streamRows(shard, debateRowSchema)) await summary.add(row);
  return summary.result();
}

type ShardUnderWay = {
  readonly input: DebateShard;
  readonly config: ExperimentConfig;
  readonly files: ExperimentFiles;
  readonly journal: JournalPlace;
  /** Gets the finished debates. */
  readonly spool: Spool;
  readonly mine: Claim;
};

async function debateShard(
  { input, config, files, journal: itsJournal, spool, mine }: ShardUnderWay,
  { store, endpoints, gate, tasks }: Dependencies,
  { signal, show }: Running,
): Promise<ShardSummary> {
  const questions = await questionsOfShard(input, config, files);
  // After the claim: a former attempt begins nothing new. What it has in flight it journals; in this process the journal is one for both.
  const journal = await openAnswerJournal(itsJournal, mine.epoch);
  const answers = journalledAnswers({
    journal,
    config,
    endpoints,
    claim: mine,
    signal,
    onBusy: showWaits(show),
  });
  const rounds = roundsOf(input.split, config);
  const summarises = rounds > 1 && hasSummaries(config);
  const answersEach = rounds + (summarises ? rounds - 1 : 0);
  const answersOfDebate = input.votes ?? input.agents.length * answersEach;
  const total = questions.length * answersOfDebate;
  const bases = baseModelsOf(config);
  // A debate asks all of them in turn.
  const endpoint = [...new Set(bases.map(({ model }) => model.endpoint))].join(' and ');
  const need = {
    endpoint,
    answers: answersOfDebate,
    maxTokens: Math.max(...bases.map(({ maxTokens }) => maxTokens)),
    copies: 1 + Math.min(config.max_others, input.agents.length - 1),
  };
  const rules = tasks.open(config.task).answers;
  const summary = summarising(input, config, rules);
  try {
    show({ answers: 0, total });
    const models = input.agents.flatMap((agent) => Object.values(agent.models));
    if (summarises) models.push(summariserOf(input.agents, input.summariser));
    const asked = models.map(({ base }) => endpoints.for(base));
    const answerAll = async (): Promise<ShardSummary> => {
      await requireModels(store, models);
      endpoints.expect(input.experiment, config);
      await endpoints.serve(models, signal, showWaits(show));
      const converse = await conversation(input, config, files, rules);
      // Where models take turns, each one answers all the debates at its turn.
      const slots = endpoints.takeTurns(models) ? Infinity : slotsOf(endpoints, models);
      const beganAt = Date.now();
      const hold = async (question: Question, stop: AbortSignal): Promise<DebateRow> => {
        const tokens = { prompt: 0, completion: 0, firstRound: 0 };
        let truncated = 0;
        const speak: Speak<Model> = async (utterance) => {
          const answer = await answers.give(utterance, stop);
          debatesInMemory.sawAnswer(answer.text);
          show({ answers: answers.count(), ...noWait });
          if (answer.turnsLeftOut !== undefined) truncated += 1;
          // The first samples are the debate's own answers, which it has counted.
          if (input.split !== 'samples' || utterance.agent > input.agents.length) {
            tokens.prompt += answer.promptTokens;
            tokens.completion += answer.completionTokens;
            if (utterance.round === 1) tokens.firstRound += answer.promptTokens + answer.completionTokens;
          }
          return { text: answer.text, finishReason: answer.finishReason };
        };
        return { ...(await converse(question, speak)), tokens, truncated };
      };
      await allOrFirstFailure([...questions.entries()], signal, async ([number, question], stop) =>
        debatesInMemory.admit({ ...need, slots }, stop, async () => {
          const row = await hold(question, stop);
          // From here on it is on disk: a shard with many questions and long answers would not fit into memory.
          spool.add(number, row);
          await summary.add(row);
        }),
      );
      emit('shard answered', {
        endpoint,
        answers: answers.count(),
        asked: answers.asked(),
        beganAt,
        endedAt: Date.now(),
      });
      return summary.result();
    };
    return await gate.shared(signal, answerAll, { asked, onWait: showFineTune(show) });
  } finally {
    await journal.close();
  }
}

/** How many requests the endpoints of these models take at once, all together. */
function slotsOf(endpoints: Endpoints, models: readonly Model[]): number {
  const asked = new Set(models.map(({ base }) => endpoints.for(base).slots));
  return [...asked].reduce((sum, { count }) => sum + count, 0);
}

/**
 * The journal of the shard's answers: the experiment's own, or the one that it shares with those that ask the same questions of the same model with the same
 * seed. Votes on held-out questions, and samples of training questions, begin with the first answers of their debates, and find them there.
 */
function journalOf(
  { iteration, split, shard, votes }: DebateShard,
  { shared_answers: shared, seed }: ExperimentConfig,
  files: ExperimentFiles,
  store: Store,
): JournalPlace {
  const asked = votes === undefined ? split : questionsOf(split);
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
    questionsOf(split) === 'train'
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
  /** Only where debates may end after round 1. */
  readonly earlyStop?: EarlyStop;
};
export type TokenCount = { readonly prompt: number; readonly completion: number };

/** Counts what the votes of a shard looked like, and its tokens, a debate at a time. */
function summarising(
  { split, iteration }: Pick<DebateShard, 'split' | 'iteration'>,
  config: ExperimentConfig,
  rules: Pick<AnswerRules, 'equal'>,
): {
  readonly add: (debate: DebateRow) => Promise<void>;
  readonly result: () => ShardSummary;
} {
  const { label_source: label, stop_when_unanimous: stops, rounds } = config;
  const { allRounds, ...window } = consensusLabels(config, iteration);
  // Held-out questions have no label; the STaR baseline has its own.
  const all = split === 'train' && label === 'consensus' ? allRounds : undefined;
  const consensus = {
    questions: 0,
    unanimous: 0,
    ties: 0,
    withoutLabel: 0,
    unparsableAnswers: 0,
    truncatedPrompts: 0,
    oneVote: 0,
    answers: 0,
  };
  let cutOff = noneCutOff;
  let earlyStop = noEarlyStop;
  const tokens = { prompt: 0, completion: 0, firstRound: 0 };
  return {
    async add(debate) {
      const { votes, tied } = debate.consensus;
      const { answers, truncated } = debate;
      const voted = all === undefined ? debate : await withLabelVote(debate, { allRounds: all }, rules);
      const labelled = label !== 'consensus' || labelByConsensus(voted, window) !== null;
      // Where all rounds vote, an agent that says the same again has two votes.
      const voters =
        all === undefined ? votes : voted.agrees.filter((byRound) => byRound.includes(true)).length;
      consensus.questions += 1;
      consensus.unanimous += Number(answers.length > 1 && votes === answers.length);
      consensus.ties += Number(tied > 1);
      consensus.withoutLabel += Number(!labelled);
      consensus.unparsableAnswers += answers.flat().filter((answer) => answer === null).length;
      consensus.truncatedPrompts += truncated;
      consensus.oneVote += Number(label === 'consensus' && labelled && answers.length > 1 && voters === 1);
      consensus.answers += answers.flat().length;
      tokens.prompt += debate.tokens.prompt;
      tokens.completion += debate.tokens.completion;
      tokens.firstRound += debate.tokens.firstRound;
      cutOff = addCutOff(cutOff, countCutOff(debate.finishReasons));
      earlyStop = addEarlyStop(earlyStop, earlyStopOf(debate));
    },
    result: () => ({ consensus, tokens, cutOff, ...(stops && rounds > 1 ? { earlyStop } : {}) }),
  };
}

/** Of one debate. */
function earlyStopOf({ answers, tokens: { prompt, completion, firstRound } }: DebateRow): EarlyStop {
  const all = prompt + completion;
  return answers.every((byRound) => byRound.length === 1)
    ? { ...noEarlyStop, debates: 1, stopped: 1, stoppedTokens: all }
    : { ...noEarlyStop, debates: 1, firstRoundTokens: firstRound, laterTokens: all - firstRound };
}
