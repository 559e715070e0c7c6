import type { HeldOutQuestion } from '../algorithm/question.ts';
import type { ExperimentConfig } from '../config/experiment-config.ts';
import { arithmeticPool } from './arithmetic.ts';
import { byText } from './by-text.ts';
import { heldOutPart, nameOf } from './dataset-part.ts';
import { drawn } from './draw-problems.ts';
import { heldOutWithIds, loadTask } from './load-task.ts';
import { readPart } from './read-part.ts';
import { requireEnough } from './require-enough.ts';

/**
 * The held-out questions of a task alone, for agents that were trained on another one (zero-shot): the very ones that an experiment
 * on this task with the same seed measures with. Of a dataset nothing that is trained on is loaded.
 *
 * @throws as `loadTask` does
 */
export async function loadHeldOut(
  { task, seed }: Pick<ExperimentConfig, 'task' | 'seed'>,
  signal?: AbortSignal,
): Promise<readonly HeldOutQuestion[]> {
  if (task.kind === 'arithmetic') return heldOutWithIds(arithmeticPool(task, seed).heldOut);
  // Which questions of one's own files are held out depends on those that are trained on.
  if (task.kind === 'jsonl') return (await loadTask({ task, seed }, signal)).heldOut;
  const part = heldOutPart(task);
  const questions = byText((await readPart(part, task.skip_unreadable ?? false, signal)).problems);
  requireEnough('task.test_size', task.test_size, questions, nameOf(part));
  return heldOutWithIds(drawn(questions, task.test_size, { seed, purpose: `${task.kind}-heldout` }));
}
