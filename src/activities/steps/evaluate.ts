import { isDeepStrictEqual } from 'node:util';
import { type AnswerRules, goldOf } from '../../algorithm/answer.ts';
import {
  evaluate as figures,
  type Evaluation,
  type Mark,
  markOf,
  type Outcome,
  outcomeOf,
} from '../../algorithm/evaluation.ts';
import type { GuardFigures } from '../../algorithm/guard.ts';
import { accuracy, lastVotes } from '../../algorithm/measures/answers.ts';
import type { EarlyStop } from '../../algorithm/measures/cost.ts';
import { pairedTest } from '../../algorithm/measures/tests.ts';
import { type ExperimentConfig } from '../../config/experiment.ts';
import { readWarnings } from '../../report/read/experiment.ts';
import { ArtifactDamaged, ArtifactMissing } from '../../store/errors.ts';
import { findDocument, writeDocument } from '../../store/files/documents.ts';
import { findRows, readPage, readRows, streamRows, writeRows } from '../../store/files/rows.ts';
import type { Warning } from '../../store/records/result.ts';
import {
  type DebateRow,
  debateRowSchema,
  diversitySchema,
  evaluationRecordSchema,
  heldOutQuestionSchema,
  iterationRecordSchema,
  outcomeSchema,
  readDebates,
} from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles, type MeasuredSet } from '../../store/store.ts';
import { configInForce } from '../../store/records/config-changes.ts';
import type { Dependencies } from '../activity.ts';
import type { TokenCount } from './debate.ts';
import { measureLabels } from './measure-labels.ts';

type EvaluationRequest = {
  readonly experiment: string;
  readonly iteration: number;
  readonly split: MeasuredSet;
  /** Of the split `vote`: how many answers to a question. */
  readonly votes?: number;
  /** Of those debates. */
  readonly tokens: TokenCount;
  readonly seconds: number;
  readonly earlyStop?: EarlyStop;
};

/**
 * Compares answers to held-out questions with the gold answers. It also judges the labels that the iteration was trained with (see
 * `measureLabels`). Apart from this step only `buildDatasets` and `debate` read gold answers, and only with `label_source: gold`.
 */
export async function evaluate(
  { experiment, iteration, split, votes, tokens, seconds, earlyStop }: EvaluationRequest,
  { store, tasks }: Dependencies,
): Promise<Evaluated> {
  const files = experimentFiles(store, experiment);
  const config = await configInForce(files);
  const { shard_size: shardSize } = config;
  const { answers } = tasks.open(config.task);
  const unreadable = { answers: 0, of: 0 };
  const marks = async (each: number, of = split): Promise<Mark[]> => {
    const path = files.outcomes(each, of);
    if ((await findRows(path)) === null)
      await writeRows(path, judged({ iteration: each, split: of, shardSize }, files, answers));
    const made: Mark[] = [];
    for await (const outcome of streamRows(path, outcomeSchema)) {
      made.push(markOf(outcome));
      if (each === iteration && of === split) countUnreadable(unreadable, outcome);
    }
    return made;
  };
  const own = await marks(iteration);
  const compared = async (): Promise<Mark[]> => {
    // One model is compared with the group that it was distilled from.
    if (split === 'distilled') return marks(iteration, 'heldout');
    // The number of votes differs between iterations, so there is no base to compare with.
    return iteration === 0 || split === 'vote' ? own : marks(0);
  };
  const evaluation = figures(iteration, own, await compared());
  if (split === 'heldout')
    await measureLabels(files, iteration, await configInForce(files, iteration), answers);
  const before = await findDocument(files.evaluation(iteration, split), evaluationRecordSchema);
  // The first seconds stay: finding the debates done takes none.
  const validation = split === 'validation' ? await guardFigures(files, evaluation, unreadable) : undefined;
  await writeDocument(files.evaluation(iteration, split), {
    evaluation,
    ...(votes === undefined ? {} : { votes }),
    unreadable,
    ...(validation === undefined ? {} : { figures: validation }),
    tokens,
    seconds: before?.seconds ?? seconds,
    ...(earlyStop === undefined ? {} : { earlyStop }),
  });
  return {
    ...evaluation,
    warnings: split === 'heldout' ? await readWarnings(files, iteration) : [],
    ...(validation === undefined ? {} : { figures: validation }),
  };
}

/** An evaluation, and the warnings about the experiment as far as it has come. Evaluations of splits other than `heldout` have no warnings. */
export type Evaluated = Evaluation & {
  readonly warnings: readonly Warning[];
  /** Of the split `validation`. */
  readonly figures?: GuardFigures;
};

/** What a guard compares, from the validation debates of an iteration and what is known of its training. */
async function guardFigures(
  files: ExperimentFiles,
  { iteration, questions, debate, majority }: Evaluation,
  unreadable: { readonly answers: number; readonly of: number },
): Promise<GuardFigures> {
  const marks: Mark[] = [];
  const votes: ReturnType<typeof lastVotes>[] = [];
  for await (const outcome of streamRows(files.outcomes(iteration, 'validation'), outcomeSchema)) {
    marks.push(markOf(outcome));
    votes.push(lastVotes(outcome));
  }
  const length = { characters: 0, responses: 0 };
  for await (const { dialogues } of readDebates(files.debates(iteration, 'validation'))) {
    for (const { role, content } of dialogues.flat()) {
      if (role !== 'assistant') continue;
      length.characters += content.length;
      length.responses += 1;
    }
  }
  const record = await findDocument(files.record(iteration), iterationRecordSchema);
  const rewards = (record?.fineTunes ?? []).flatMap(({ rewards: own }) =>
    own === undefined ? [] : [own.chosen],
  );
  const diversity = await findDocument(files.diversity(iteration), diversitySchema);
  return {
    iteration,
    questions,
    accuracy: debate,
    firstVote: majority,
    debateVersusFirstVote: pairedTest(
      marks.map((mark) => mark.debate),
      marks.map((mark) => mark.majority),
    ),
    agreement: accuracy(votes.map((each) => each.agreement)).accuracy,
    entropy: accuracy(votes.map((each) => each.entropy)).accuracy,
    unreadable: unreadable.answers / unreadable.of,
    length: length.characters / length.responses,
    chosenReward: rewards.length === 0 ? null : accuracy(rewards).accuracy,
    ownNll: diversity?.nllOfOwn?.value ?? null,
    klToBase: diversity?.fromBase.perToken?.value ?? null,
  };
}

function countUnreadable(
  counts: { answers: number; of: number },
  { classes }: Pick<Outcome, 'classes'>,
): void {
  const all = classes.flat();
  counts.answers += all.filter((each) => each === null).length;
  counts.of += all.length;
}

/** The outcomes of an iteration in the order of the held-out questions, a debate in memory at a time. */
async function* judged(
  debates: { readonly iteration: number; readonly split: MeasuredSet; readonly shardSize: number },
  files: ExperimentFiles,
  answers: AnswerRules,
): AsyncGenerator<Outcome> {
  const questions = files.questions(debates.split);
  for (let shard = 0; ; shard++) {
    const page = await readPage(questions, heldOutQuestionSchema, shard, debates.shardSize);
    if (page.length === 0) return;
    const golds = new Map(page.map((question) => [question.id, goldOf(question)]));
    const held = files.shard(debates.iteration, debates.split, shard);
    for await (const debate of streamRows(held, debateRowSchema)) {
      const gold = golds.get(debate.question.id);
      if (gold === undefined) throw new ArtifactMissing(`${questions.where} (${debate.question.id})`);
      yield await outcomeOf(debate, gold, answers);
    }
  }
}

type AdoptRequest = {
  readonly experiment: string;
  /** Where the starting agents were evaluated. */
  readonly from: { readonly experiment: string; readonly iteration: number };
};

/**
 * Takes over the held-out debates of the night that left these agents, so that they need not be held again: the debates of
 * iteration 0 are then found finished. They are copies, as one flipped bit must not reach both, and count no tokens.
 *
 * @returns how many shards there are now; fewer than there should be when those debates were held with other settings, or are
 * damaged or gone. The rest are then debated.
 */
export async function adoptEvaluation(
  { experiment, from }: AdoptRequest,
  { store }: Dependencies,
): Promise<number> {
  const files = experimentFiles(store, experiment);
  const config = await configInForce(files);
  const source = experimentFiles(store, from.experiment);
  const questions = await readRows(files.questions('heldout'), heldOutQuestionSchema);
  let shard = 0;
  try {
    if (!debatesAlike(config, await configInForce(source))) return 0;
    for await (const rows of inShards(heldOutDebates(source, from.iteration), config.shard_size)) {
      const asked = questions.slice(shard * config.shard_size, (shard + 1) * config.shard_size);
      if (
        rows.length !== asked.length ||
        rows.some(({ question }, index) => question.id !== asked[index]?.id)
      )
        return shard;
      const path = files.shard(0, 'heldout', shard);
      if ((await findRows(path)) === null) await writeRows(path, rows);
      shard += 1;
    }
  } catch (error) {
    if (!(error instanceof ArtifactDamaged || error instanceof ArtifactMissing)) throw error;
  }
  return shard;
}

/** All that a debate of the same agents on the same question depends on. */
const settings = [
  'rounds',
  'summarize',
  'max_others',
  'show_thinking',
  'stop_when_unanimous',
  'prompts',
  'sampling',
  'model',
  'agents',
  'summarizer',
] as const;

function debatesAlike(a: ExperimentConfig, b: ExperimentConfig): boolean {
  return settings.every((setting) => isDeepStrictEqual(a[setting], b[setting]));
}

async function* heldOutDebates(files: ExperimentFiles, iteration: number): AsyncGenerator<DebateRow> {
  for await (const row of readDebates(files.debates(iteration, 'heldout'))) {
    yield { ...row, tokens: { prompt: 0, completion: 0, firstRound: 0 } };
  }
}

async function* inShards(rows: AsyncIterable<DebateRow>, size: number): AsyncGenerator<DebateRow[]> {
  let shard: DebateRow[] = [];
  for await (const row of rows) {
    shard.push(row);
    if (shard.length < size) continue;
    yield shard;
    shard = [];
  }
  if (shard.length > 0) yield shard;
}
