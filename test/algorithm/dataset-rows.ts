/** The datasets of one agent in the form in which the product writes them: the algorithm's rows, each with its text. */
import { type Dataset, type DatasetPart, type Example, rowExample } from '../../src/algorithm/dataset.ts';
import { criticDataset, generationDataset } from '../../src/algorithm/imitation-datasets.ts';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';

export function generationRows(agent: number, debates: readonly LabelledDebate[]): Example[] {
  return examples(debates, generationDataset([agent], debates));
}

export function criticRows(
  agent: number,
  debates: readonly LabelledDebate[],
  settings: Parameters<typeof criticDataset>[2],
): { examples: Example[]; corrected: DatasetPart; kept: DatasetPart } {
  const dataset = criticDataset([agent], debates, settings);
  const { corrected, kept } = dataset.parts;
  return { examples: examples(debates, dataset), corrected: corrected!, kept: kept! };
}

export function examples(debates: readonly LabelledDebate[], { rows }: Dataset): Example[] {
  return rows.map((row) =>
    rowExample(
      row,
      debates.find(({ questionId }) => questionId === row.questionId)!,
    )!,
  );
}
