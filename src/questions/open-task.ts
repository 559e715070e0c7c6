/** Which task does a config describe, and which questions of it does an experiment, or a night of a series, have? */
import {
  type AnswerRules,
  type GoldLabel,
  goldOf,
  type HeldOutQuestion,
  type Question,
  shortAnswers,
} from '../algorithm/answer.ts';
import type { TaskConfig } from '../config/tasks.ts';
import { createGrader } from '../grading/grader.ts';
import { anyDatasetTask } from './any-dataset.ts';
import { arithmeticTask } from './arithmetic.ts';
import { ScorerUnknown } from './errors.ts';
import { hubTask } from './hub.ts';
import { ownFilesTask } from './own-files.ts';
import { createScorer, loadScorers, type Scorer, type ScorerConfig } from './scorer.ts';
import { type Asked, freshQuestions } from './select.ts';
import {
  byText,
  type LeftOut,
  normalisedText,
  type Problem,
  questionKey,
  type QuestionPool,
  type Source,
  type Task,
  type Validation,
} from './task.ts';

/** The tasks of a worker. They share one grader, whose algebra runs in a thread of its own, and the programs of the scorers. */
export interface Tasks {
  /** @throws ScorerUnknown when the task names a scorer that the worker's configuration does not have */
  open(config: TaskConfig): Task;
  /** Ends the grader and the scorers. */
  close(): Promise<void>;
}

/**
 * Nothing is started before an answer has to be graded.
 *
 * @param scorerConfigs the worker's scorers by name, as `loadScorers` gives them
 */
export function createTasks(scorerConfigs: Readonly<Record<string, ScorerConfig>> = loadScorers()): Tasks {
  const grader = createGrader();
  const answers = shortAnswers((reference, answer) => grader.equal(reference, answer));
  const scorers = new Map<string, Scorer>();

  /** A scorer only judges. Votes compare answers with each other, where no gold answer may be known, so they keep the grader. */
  function rulesOf(config: TaskConfig): AnswerRules {
    if (!('scorer' in config) || config.scorer === undefined) return answers;
    const scorer = scorerOf(config.scorer);
    return { ...answers, correct: (answer, gold, question) => scorer.correct(answer, gold, question) };
  }

  function scorerOf(name: string): Scorer {
    const config = Object.hasOwn(scorerConfigs, name) ? scorerConfigs[name] : undefined;
    if (config === undefined) throw new ScorerUnknown(name, Object.keys(scorerConfigs));
    const scorer = scorers.get(name) ?? createScorer(name, config);
    scorers.set(name, scorer);
    return scorer;
  }

  return {
    open: (config) => openTask(config, rulesOf(config)),
    async close() {
      await Promise.all([grader.close(), ...[...scorers.values()].map((scorer) => scorer.close())]);
    },
  };
}

/** The task that `config` describes: the only place that makes a task of a kind. */
function openTask(config: TaskConfig, answers: AnswerRules): Task {
  switch (config.kind) {
    case 'arithmetic':
      return arithmeticTask(config, answers);
    case 'jsonl':
      return ownFilesTask(config, answers);
    case 'hub':
      return anyDatasetTask(config, answers);
    case 'gsm8k':
    case 'math':
    case 'math-500':
    case 'mmlu':
      return hubTask(config, answers);
    default:
      throw new TypeError(`No task is of the kind ${String(config satisfies never)}.`);
  }
}

/** The questions of an experiment. The training ones have no answers: those are apart, for `label_source: gold` alone. */
export type TaskData = {
  readonly train: readonly Question[];
  readonly trainLabels: readonly GoldLabel[];
  readonly heldOut: readonly HeldOutQuestion[];
  /** None where the task asks for none. */
  readonly validation: readonly HeldOutQuestion[];
  /** The questions of the task that are not asked, for the report. */
  readonly leftOut: readonly LeftOut[];
  readonly source?: Source;
};

/** The questions of an experiment. Ids are `train-00017`, `heldout-00003` and `validation-00000`. @throws as `Task.pool` does */
export async function loadQuestions(task: Task, seed: number, signal?: AbortSignal): Promise<TaskData> {
  const pool = await task.pool(seed, null, signal);
  const training = pool.training();
  const trained = byText(training);
  return withIds(
    pool,
    training,
    0,
    pool.validation((text) => trained.has(normalisedText(text))),
  );
}

/**
 * The held-out questions alone, for agents that were trained on another task (zero-shot): the same ones that an experiment on this task
 * with this seed measures with.
 *
 * @throws as `Task.pool` does
 */
export async function loadHeldOut(
  task: Task,
  seed: number,
  signal?: AbortSignal,
): Promise<readonly HeldOutQuestion[]> {
  return heldOutWithIds(await task.heldOut(seed, signal));
}

/** What a series has asked so far, and what it measures with; null before its first night. */
export type Before = {
  readonly asked: readonly Asked[];
  /** How many training questions the earlier nights have had: the number of the next one. */
  readonly position: number;
  readonly heldOut: readonly HeldOutQuestion[];
};

/**
 * The questions of one night of a series: training questions that no earlier night has asked, until all were, and the series' own
 * held-out ones. Ids of training questions continue from night to night, because what is drawn for a question depends on its id.
 *
 * @returns the questions, and what to remember as asked
 * @throws as `Task.pool` does
 */
export async function loadNight(
  task: Task,
  seed: number,
  before: Before | null,
  signal?: AbortSignal,
): Promise<TaskData & { readonly asked: readonly Asked[] }> {
  const pool = await task.pool(seed, before?.heldOut ?? null, signal);
  const { problems, asked } = freshQuestions(pool, before?.asked ?? [], pool.trainSize);
  const trained = new Set([...(before?.asked ?? []), ...asked].flatMap(({ keys }) => keys));
  const validation = pool.validation((text) => trained.has(questionKey(text)));
  return { ...withIds(pool, problems, before?.position ?? 0, validation), asked };
}

/** Gives the questions their ids. @param firstTrain the number of the first training question */
function withIds(
  { heldOut, leftOut, source }: Pick<QuestionPool, 'heldOut' | 'leftOut' | 'source'>,
  train: readonly Problem[],
  firstTrain: number,
  validation: Validation,
): TaskData {
  return {
    train: train.map(({ text }, index) => ({ id: idOf('train', firstTrain + index), text })),
    trainLabels: train.map((problem, index) => ({
      questionId: idOf('train', firstTrain + index),
      ...goldOf(problem),
    })),
    heldOut: heldOutWithIds(heldOut),
    validation: heldOutWithIds(validation.problems, 'validation'),
    leftOut: [...leftOut, ...validation.leftOut],
    ...(source === undefined ? {} : { source }),
  };
}

function heldOutWithIds(
  problems: readonly Problem[],
  set: 'heldout' | 'validation' = 'heldout',
): HeldOutQuestion[] {
  return problems.map((problem, index) => ({
    id: idOf(set, index),
    text: problem.text,
    ...goldOf(problem),
  }));
}

function idOf(set: 'train' | 'heldout' | 'validation', index: number): string {
  return `${set}-${String(index).padStart(5, '0')}`;
}
