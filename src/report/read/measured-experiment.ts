import { chosenIteration } from '../../algorithm/guard.ts';
import type { Used } from '../../algorithm/measures/cost.ts';
import { type Method, methods } from '../../algorithm/methods.ts';
import { hasSummaries } from '../../config/agents.ts';
import type { StudyCell } from '../../config/study.ts';
import { questionKey } from '../../questions/task.ts';
import { isThere } from '../../store/blobs.ts';
import { readDocument, requireDocument } from '../../store/files/documents.ts';
import { streamRows } from '../../store/files/rows.ts';
import type { ExperimentResult } from '../../store/records/result.ts';
import {
  type DiversityDocument,
  diversitySchema,
  evaluationRecordSchema,
  iterationRecordSchema,
  type LabelsDocument,
  labelsSchema,
  outcomeSchema,
  questionSchema,
} from '../../store/records/rows.ts';
import { type ExperimentFiles, experimentFiles, type MeasuredSet, type Store } from '../../store/store.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { type GradedAnswers, votesByClass } from '../../algorithm/measures/answers.ts';
import type { Score } from '../../algorithm/measures/comparison.ts';
import { draw } from '../../algorithm/random.ts';

/** A finished experiment of a study. `experiment` names its setting: the task and the model. */
export type FinishedExperiment = Omit<StudyCell, 'input'> & { readonly result: ExperimentResult };

/** A finished experiment with its scores and answers. Numbers only: the texts of all questions may be larger than memory. */
export type MeasuredExperiment = FinishedExperiment & {
  /** By iteration, 0 the base model. With a guard, what its agents are after each. */
  readonly iterations: readonly MeasuredIteration[];
  readonly transfer: readonly MeasuredTransfer[];
  /** Of the one model that the group was distilled into, on the held-out questions; absent where there is none. */
  readonly distilled?: Scores;
  /** Whether agents are shown summaries: a single agent has no others to summarise, and after a single round nothing is shown. */
  readonly hasSummaries: boolean;
};

export type MeasuredIteration = {
  /** The method's own figure. */
  readonly scores: Scores;
  /** The vote over the agents' first answers. */
  readonly firstVote: Scores;
  /** All answers, for measures over the questions of several seeds. */
  readonly answers: readonly AnsweredQuestion[];
  /** What answering the held-out questions used. */
  readonly evaluation: Used;
  /** What this iteration's training used; null for the base model. */
  readonly training: { readonly debates: Used; readonly fineTunes: Used } | null;
  /** How right the labels were that the iteration was trained with; null for the base model, gold labels and earlier versions. */
  readonly labels: LabelsDocument | null;
  /** How diverse the agents' first answers are; null where it was not measured. */
  readonly diversity: MeasuredDiversity | null;
  /** The majority at equal tokens, measured with the debate: of how many answers, for how many tokens. */
  readonly votes: MeasuredVotes | null;
};

/** A majority of first answers instead of a debate. */
export type MeasuredVotes = {
  /** Of how many answers. */
  readonly count: number;
  readonly tokens: number;
  readonly scores: Scores;
  /**
   * The majority of the first of these answers, as many as have the written tokens of the debate alone; a debate reads much, which may cost
   * less. Null where those were not counted, or are more than `count`.
   */
  readonly written: { readonly count: number; readonly scores: Scores } | null;
};

/** diversity.json; its rows name questions by their keys, as scores do. */
export type MeasuredDiversity = Pick<DiversityDocument, 'encoder' | 'leftOut' | 'rows'>;

/** On another task: the base model and the agents of the last iteration, which are the same for a method that learns nothing. */
export type MeasuredTransfer = { readonly task: string; readonly before: Scores; readonly after: Scores };

/**
 * Measures a finished experiment from its outcomes, reading one row at a time.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function measureExperiment(
  store: Store,
  experiment: FinishedExperiment,
): Promise<MeasuredExperiment> {
  const files = experimentFiles(store, experiment.name);
  const { seed, config, result } = experiment;
  const { answer } = methods[experiment.method];
  const scoresOf = async (iteration: number, split: MeasuredSet): Promise<Scores> => {
    const scores = new Map<string, SeedScore>();
    for await (const { outcome, unit, question } of answered(files, iteration, split, seed))
      scores.set(unit, { seed, question, ...scoreOf(answer, outcome) });
    return scores;
  };
  const pattern = sharedAnswers();
  const iterations: MeasuredIteration[] = [];
  const trained = result.iterations.length > 0 ? await trainedQuestions(files) : new Map<string, string>();
  for (const { iteration } of result.evaluations) {
    const [scores, firstVote] = [new Map<string, SeedScore>(), new Map<string, SeedScore>()];
    const answers: AnsweredQuestion[] = [];
    const questions = new Map<string, string>();
    for await (const { outcome, unit, question } of answered(files, iteration, 'heldout', seed)) {
      scores.set(unit, { seed, question, ...scoreOf(answer, outcome) });
      firstVote.set(unit, { seed, question, ...scoreOf('majority', outcome) });
      answers.push({ question, answers: pattern(outcome) });
      questions.set(outcome.questionId, question);
    }
    const work = await readWork(files, iteration);
    const beside = result.equalTokens.find((each) => each.iteration === iteration);
    const votes = beside === undefined ? null : await readVotes(files, beside, work.evaluation, seed);
    const diversity = await readDiversity(files, iteration, questions);
    iterations.push({
      scores,
      firstVote,
      answers,
      ...work,
      labels: await readLabels(files, iteration, trained),
      diversity,
      votes,
    });
  }
  const last = chosenIteration(result);
  const transfer: MeasuredTransfer[] = [];
  for (const task of new Set(result.transfer.map((each) => each.task))) {
    const before = await scoresOf(0, `transfer-${task}`);
    transfer.push({ task, before, after: last === 0 ? before : await scoresOf(last, `transfer-${task}`) });
  }
  return {
    ...experiment,
    iterations: asGuarded(iterations, result, config.iterations),
    transfer,
    ...(result.distilled?.evaluation ? { distilled: await scoresOf(last, 'distilled') } : {}),
    hasSummaries: answer === 'debate' && hasSummaries(config),
  };
}

/**
 * An experiment with a guard has the agents of the best iteration until then after each iteration, also after those that the guard has left out by
 * ending it. What an iteration took, and what it was trained with, stays its own.
 */
function asGuarded(
  measured: readonly MeasuredIteration[],
  { guard }: Pick<ExperimentResult, 'guard'>,
  planned: number,
): readonly MeasuredIteration[] {
  if (guard === undefined) return measured;
  return Array.from({ length: Math.max(planned + 1, measured.length) }, (_, iteration) => {
    const isBest = ({ outcome, iteration: at }: (typeof guard.steps)[number]): boolean =>
      outcome === 'best' && at <= iteration;
    const standing = measured[guard.steps.findLast(isBest)?.iteration ?? 0];
    if (standing === undefined) throw new RangeError(`The guard names an iteration that was not evaluated.`);
    const { training = null, labels = null, diversity = null } = measured[iteration] ?? {};
    return { ...standing, training, labels, diversity };
  });
}

/** @param questions the key of each question, by its id */
async function readDiversity(
  files: ExperimentFiles,
  iteration: number,
  questions: ReadonlyMap<string, string>,
): Promise<MeasuredDiversity | null> {
  const found = await readDocument(files.diversity(iteration), diversitySchema);
  if (found === null) return null;
  const { encoder, leftOut } = found;
  return { encoder, leftOut, rows: found.rows.map((row) => named(row, questions)) };
}

/** The key of each training question, by its id. */
export async function trainedQuestions(files: ExperimentFiles): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  if (await isThere(files.questions('train')))
    for await (const { id, text } of streamRows(files.questions('train'), questionSchema))
      keys.set(id, questionKey(text));
  return keys;
}

/** @param questions the key of each training question, by its id */
export async function readLabels(
  files: ExperimentFiles,
  iteration: number,
  questions: ReadonlyMap<string, string>,
): Promise<LabelsDocument | null> {
  const found = await readDocument(files.labels(iteration), labelsSchema);
  if (found === null) return null;
  return { ...found, rows: found.rows.map((row) => named(row, questions)) };
}

/** A row that names its question by its key. */
function named<Row extends { readonly questionId: string }>(
  row: Row,
  questions: ReadonlyMap<string, string>,
): Row {
  return { ...row, questionId: questions.get(row.questionId) ?? row.questionId };
}

/** The votes at equal tokens beside a debate that used these tokens. */
async function readVotes(
  files: ExperimentFiles,
  { iteration, votes: count, tokens }: ExperimentResult['equalTokens'][number],
  debate: Used,
  seed: number,
): Promise<MeasuredVotes> {
  // All of these answers wrote `tokens.completion`, each the same on average.
  const wanted = Math.max(1, Math.round((count * debate.tokensOut) / tokens.completion));
  const written = wanted <= count ? { count: wanted, scores: new Map<string, SeedScore>() } : null;
  const scores = new Map<string, SeedScore>();
  for await (const { outcome, unit, question } of answered(files, iteration, 'vote', seed)) {
    scores.set(unit, { seed, question, ...scoreOf('majority', outcome) });
    written?.scores.set(unit, { seed, question, ...scoreOfFewer(outcome, written.count, seed, unit) });
  }
  return { count, tokens: tokens.prompt + tokens.completion, scores, written };
}

/** What an iteration used. */
async function readWork(
  files: ExperimentFiles,
  iteration: number,
): Promise<Pick<MeasuredIteration, 'evaluation' | 'training'>> {
  const evaluation = await requireDocument(files.evaluation(iteration), evaluationRecordSchema);
  const record =
    iteration === 0 ? null : await requireDocument(files.record(iteration), iterationRecordSchema);
  return {
    evaluation: chats(evaluation.tokens, evaluation.seconds),
    training: record && {
      debates: chats(record.tokens.debate, record.seconds.debate),
      fineTunes: {
        tokensIn: 0,
        tokensOut: 0,
        tokensTrained: record.tokens.fineTune,
        deviceSeconds: record.seconds.fineTune,
      },
    },
  };
}

function chats({ prompt, completion }: { prompt: number; completion: number }, deviceSeconds: number): Used {
  return { tokensIn: prompt, tokensOut: completion, tokensTrained: 0, deviceSeconds };
}

/** The outcomes of an evaluation, each with its question and its unit. */
async function* answered(files: ExperimentFiles, iteration: number, split: MeasuredSet, seed: number) {
  for await (const outcome of streamRows(files.outcomes(iteration, split), outcomeSchema)) {
    const question = questionKey(outcome.question);
    yield { outcome, question, unit: `${seed} ${outcome.questionId} ${question}` };
  }
}

/** How a method answered one question in the experiment of one seed: its own figure, counted in answers. */
export type SeedScore = Score & {
  readonly seed: number;
  /** The question's key (see questionKey): equal texts are one question, in every experiment and with every seed. */
  readonly question: string;
};

/** By unit: a question in the experiment of one seed. The same question has the same unit in every method. */
export type Scores = ReadonlyMap<string, SeedScore>;

/** The answers to a question, without texts. */
export type AnsweredQuestion = { readonly question: string; readonly answers: GradedAnswers };

/** The score of the method's own figure: of all answers of a method that answers once, else of its vote. */
export function scoreOf(answer: Method['answer'], { single, ...votes }: Outcome): Score {
  if (answer !== 'single') return { right: Number(votes[answer].correct), of: 1 };
  return { right: single.filter(({ correct }) => correct).length, of: single.length };
}

/** The score of a vote among the first `count` answers; a tie is settled by a draw, as in a debate. */
export function scoreOfFewer(
  { right, classes }: GradedAnswers,
  count: number,
  seed: number,
  unit: string,
): Score {
  const firsts = classes.slice(0, count).map(([first = null]) => first);
  const votes = votesByClass(firsts);
  const most = Math.max(0, ...votes.values());
  const leaders = [...votes].filter(([, size]) => size === most).map(([each]) => each);
  if (leaders.length === 0) return { right: 0, of: 1 };
  const key = { seed, iteration: 0, purpose: 'vote among fewer', question: unit };
  const winner = leaders[leaders.length === 1 ? 0 : draw(key, leaders.length)] ?? null;
  return { right: Number(right[firsts.indexOf(winner)]?.[0] === true), of: 1 };
}

/** Keeps one object for all equal answers: a study has a few dozen patterns of answers to hundreds of thousands of questions. */
export function sharedAnswers(): (outcome: GradedAnswers) => GradedAnswers {
  const known = new Map<string, GradedAnswers>();
  return ({ right, classes }) => {
    const pattern = JSON.stringify([right, classes]);
    const found = known.get(pattern) ?? { right, classes };
    known.set(pattern, found);
    return found;
  };
}
