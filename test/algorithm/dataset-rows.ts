/** Datasets as the product writes them: the questions that the algorithm names, each with its row. */
import { criticDataset, criticExample } from '../../src/algorithm/critic-dataset.ts';
import type { Example } from '../../src/algorithm/example.ts';
import { generationDataset, generationExample } from '../../src/algorithm/generation-dataset.ts';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';

export function generationRows(agent: number, debates: readonly LabelledDebate[]): Example[] {
  return rows(agent, debates, generationDataset(agent, debates), generationExample);
}

export function criticRows(
  agent: number,
  debates: readonly LabelledDebate[],
  settings: Parameters<typeof criticDataset>[2],
) {
  const { questions, corrected, kept } = criticDataset(agent, debates, settings);
  return { examples: rows(agent, debates, questions, criticExample), corrected, kept };
}

function rows(
  agent: number,
  debates: readonly LabelledDebate[],
  questions: readonly string[],
  example: typeof criticExample,
): Example[] {
  return questions.map((id) =>
    example(
      agent,
      debates.find(({ questionId }) => questionId === id)!,
    )!,
  );
}
