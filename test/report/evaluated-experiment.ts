/** A finished experiment's folder as far as a comparison reads it, from what its debates got right. */
import { join } from 'node:path';
import { writeRows } from '../../src/store/files/rows.ts';
import { writeFinishedExperiment } from './finished-experiment.ts';

export type Answered = {
  readonly text: string;
  /** Whether the debate is; the majority always is, and one of the two agents. */
  readonly right: boolean;
  readonly gold?: string;
};

/** @param iterations what the held-out questions came to: first of the base model, then after each iteration */
export async function writeEvaluatedExperiment(
  folder: string,
  name: string,
  iterations: readonly (readonly Answered[])[],
  config?: object,
): Promise<void> {
  await writeFinishedExperiment(folder, {
    name,
    questions: 1,
    iterations: iterations.length - 1,
    ...(config && { config }),
  });
  const rows = iterations.flatMap((questions, iteration) =>
    questions.map(({ text, right, gold = 'yes' }, index) => ({
      iteration,
      questionId: `heldout-${String(index).padStart(5, '0')}`,
      question: text,
      gold,
      single: [judged(true), judged(false)],
      majority: judged(true),
      debate: judged(right),
      right: [[true], [false]],
      classes: [[0], [1]],
    })),
  );
  await writeRows(join(folder, 'evaluation.jsonl'), rows);
}

function judged(correct: boolean) {
  return { answer: correct ? 'yes' : 'no', correct };
}
