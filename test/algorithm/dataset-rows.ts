/** The datasets of one agent in the form in which the product writes them: the algorithm's rows, each with its text. */
import {
  type AnyExample,
  type Dataset,
  type DatasetPart,
  type Example,
  rowExample,
} from '../../src/algorithm/dataset.ts';
import {
  criticDataset,
  type DatasetSettings,
  generationDataset,
} from '../../src/algorithm/imitation-datasets.ts';
import type { LabelledDebate } from '../../src/algorithm/labelled-debate.ts';
import { type LearningSettings } from '../../src/algorithm/objectives.ts';

/** w = 0.5 as a share of the rows, and imitation. */
export const sampleSettings: LearningSettings = {
  seed: 0,
  iteration: 1,
  criticWeight: 0.5,
  criticMixture: 'sample',
  dataMatched: false,
  objectives: {},
  pairs: 'group',
  minPairs: 1,
  labelWeight: 'none',
};

export function generationRows(agent: number, debates: readonly LabelledDebate[]): Example[] {
  return examples(debates, generationDataset([agent], debates, sampleSettings));
}

export function criticRows(
  agent: number,
  debates: readonly LabelledDebate[],
  settings: Partial<DatasetSettings>,
): { examples: Example[]; corrected: DatasetPart; kept: DatasetPart } {
  const dataset = criticDataset([agent], debates, { ...sampleSettings, ...settings });
  const { corrected, kept } = dataset.parts;
  return { examples: examples(debates, dataset), corrected: corrected!, kept: kept! };
}

export function examples(debates: readonly LabelledDebate[], { rows }: Dataset): Example[] {
  // Rows without an ending by others are the agent's own.
  return anyExamples(debates, { rows }) as Example[];
}

export function anyExamples(
  debates: readonly LabelledDebate[],
  { rows }: Pick<Dataset, 'rows'>,
): (AnyExample | null)[] {
  return rows.map((row) =>
    rowExample(
      row,
      debates.find(({ questionId }) => questionId === row.questionId)!,
    ),
  );
}
