import { dirname } from 'node:path';
import type { AnswerEquality } from '../algorithm/consensus.ts';
import { labelDebate, type LabelledDebate, type Labels } from '../algorithm/labelled-debate.ts';
import { readDebates } from '../report/read-debates.ts';
import type { GoldLabel } from '../algorithm/question.ts';
import { ArtifactMissing } from '../store/errors.ts';
import type { ExperimentFiles } from '../store/store.ts';
import { goldLabelSchema } from '../store/records/rows.ts';
import { readRows } from '../store/files/rows.ts';
import type { FinishedIteration } from './finished-iteration.ts';

/**
 * The iteration's training debates with the label that its datasets were made by; those without a label are left out.
 *
 * @throws ArtifactMissing when they are not all there, ArtifactDamaged
 */
export async function* labelledDebates(
  { config, files, iteration, records }: FinishedIteration,
  equal: AnswerEquality,
): AsyncGenerator<LabelledDebate> {
  const labels: Labels =
    config.label_source === 'consensus'
      ? { from: 'consensus', minVotes: config.min_votes }
      : { from: 'gold', answers: await goldAnswers(files) };
  const folder = dirname(files.shard(iteration, 'train', 0));
  let debated = 0;
  for await (const debate of readDebates(folder)) {
    debated++;
    const labelled = await labelDebate(debate, labels, equal);
    if (labelled !== null) yield labelled;
  }
  if (debated !== records.at(-1)?.consensus.questions) throw new ArtifactMissing(folder);
}

async function goldAnswers(files: ExperimentFiles): Promise<Map<string, GoldLabel>> {
  return new Map((await readRows(files.goldLabels, goldLabelSchema)).map((row) => [row.questionId, row]));
}

/** How the labels were obtained, in a sentence or two. */
export function labelsInWords({ config, records }: FinishedIteration): string {
  if (config.label_source === 'gold')
    return 'A label is the gold answer of the training question (as in STaR).';
  const consensus = records.at(-1)?.consensus;
  const votes = config.min_votes === 1 ? '' : ` with at least ${config.min_votes} votes`;
  const counts =
    consensus === undefined
      ? ''
      : ` Of ${consensus.questions} questions, ${consensus.unanimous} were unanimous, ${consensus.ties} were ties ` +
        `(settled by a seeded draw) and ${consensus.withoutLabel} yielded no label.`;
  return `A label is the majority vote over the agents' last answers${votes}; no gold answer was used.${counts}`;
}
