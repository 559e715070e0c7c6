/** An iteration's diversity.json with the given means, over questions that lie around them. */
import { diversityOver, type QuestionDiversity } from '../../src/algorithm/measures/diversity.ts';
import type { DiversityDocument } from '../../src/store/records/rows.ts';

type Means = Partial<
  Record<
    'dissimilarity' | 'nllOfOthers' | 'nllOfOwn' | 'betweenAgents' | 'fromBase' | 'distinctAnswers',
    number
  >
>;

/** @param means of each measure; one without a mean was not measured */
export function diversityDocument(
  iteration: number,
  means: Means,
  { leftOut = null, questions = 10 }: { leftOut?: string | null; questions?: number } = {},
): DiversityDocument {
  const rows = Array.from({ length: questions }, (_, index): QuestionDiversity => {
    // Around the mean by a tenth of it, up and down in turn.
    const near = (mean: number) => mean * (index % 2 === 0 ? 1.1 : 0.9);
    const measured = (mean: number | undefined) => (mean === undefined ? null : near(mean));
    const divergence = (mean: number | undefined) =>
      mean === undefined ? null : { perToken: near(mean), perResponse: near(mean) * 20 };
    return {
      questionId: `heldout-${String(index).padStart(5, '0')}`,
      nllOfOthers: measured(means.nllOfOthers),
      nllOfOwn: measured(means.nllOfOwn),
      betweenAgents: divergence(means.betweenAgents),
      fromBase: divergence(means.fromBase),
      dissimilarity: measured(means.dissimilarity),
      distinctAnswers: 1 + (index % 2),
    };
  });
  return { iteration, encoder: 'ngrams', leftOut, ...diversityOver(rows), rows };
}
