import { resolve } from 'node:path';
import { type AnswerRules, shortAnswers } from '../algorithm/answer.ts';
import { createScorer, loadScorers, type Scorer, type ScorerConfig } from './scorer.ts';
import type { TaskConfig } from '../config/tasks.ts';
import { createGrader } from '../grading/grader.ts';
import { arithmeticTask } from './arithmetic.ts';
import { ScorerUnknown } from './errors.ts';
import { hubTask } from './hub-task.ts';
import { ownFilesTask } from './own-files.ts';
import { fileHash } from './row-files.ts';
import type { Task } from './task.ts';

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

/** The task that `config` describes: the only place that looks at a task's kind. */
function openTask(config: TaskConfig, answers: AnswerRules): Task {
  switch (config.kind) {
    case 'arithmetic':
      return arithmeticTask(config, answers);
    case 'jsonl':
      return ownFilesTask(config, answers);
    case 'gsm8k':
    case 'math':
    case 'math-500':
    case 'mmlu':
      return hubTask(config, answers);
    default:
      throw new TypeError(`No task is of the kind ${String(config satisfies never)}.`);
  }
}

/** The hashes of the user's own files that tasks read their questions from, by path; without those that cannot be read here. */
export async function questionFileHashes(tasks: readonly TaskConfig[]): Promise<Record<string, string>> {
  const paths = tasks.flatMap((task) => [
    ...('train_file' in task ? [task.train_file, task.test_file] : []),
    ...('decontaminate' in task ? (task.decontaminate ?? []).filter((set) => typeof set === 'string') : []),
  ]);
  const hashes: Record<string, string> = {};
  for (const path of new Set(paths.filter((each) => each !== undefined))) {
    const hash = await fileHash(resolve(path));
    if (hash !== null) hashes[path] = hash;
  }
  return hashes;
}
