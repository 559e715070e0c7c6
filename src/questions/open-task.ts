import { type AnswerRules, shortAnswers } from '../algorithm/answer.ts';
import type { TaskConfig } from '../config/tasks.ts';
import { createGrader } from '../grading/grader.ts';
import { arithmeticTask } from './arithmetic.ts';
import { hubTask } from './hub-task.ts';
import { ownFilesTask } from './own-files.ts';
import type { Task } from './task.ts';

/** The tasks of a worker. They share one grader, whose algebra runs in a thread of its own. */
export interface Tasks {
  open(config: TaskConfig): Task;
  /** Ends the grader. */
  close(): Promise<void>;
}

/** Nothing is started before an answer has to be graded. */
export function createTasks(): Tasks {
  const grader = createGrader();
  const answers = shortAnswers((reference, answer) => grader.equal(reference, answer));
  return { open: (config) => openTask(config, answers), close: () => grader.close() };
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
