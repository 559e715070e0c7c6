import { type Example, exampleOf } from './example.ts';
import type { LabelledDebate, Match } from './labelled-debate.ts';
import { byQuestion } from './question-order.ts';
import { type DrawKey, shuffle } from './random.ts';

/** The critic dataset of an agent, with how it was mixed. */
export type CriticDataset = {
  /** The ids of its questions, in their order. Each gives the row of `criticExample`. */
  readonly questions: readonly string[];
  /** Dialogues that were wrong in round 1 and right in the last. */
  readonly corrected: DatasetPart;
  /** Dialogues that were right in round 1 and in the last. */
  readonly kept: DatasetPart;
};
export type DatasetPart = { readonly available: number; readonly used: number };

type CriticSettings = {
  readonly seed: number;
  readonly iteration: number;
  /** w: the share of corrected dialogues, 0..1. */
  readonly criticWeight: number;
};

/**
 * The critic dataset of an agent (section 2.3 of the paper): whole dialogues whose last answer equals the label, the corrected
 * and the kept ones mixed w : 1 - w. As many rows as that share allows are drawn (seeded); w is never given up to fill the set,
 * so that a critic with nothing corrected to learn from learns nothing rather than to agree with itself.
 *
 * @param agent 1..N
 */
export function criticDataset(
  agent: number,
  debates: readonly Match[],
  settings: CriticSettings,
): CriticDataset {
  const revised = debates.filter((debate) => {
    const matches = debate.matches[agent - 1] ?? [];
    return matches.length > 1 && matches.at(-1) === true;
  });
  const kept = revised.filter((debate) => debate.matches[agent - 1]?.[0] === true);
  const corrected = revised.filter((debate) => debate.matches[agent - 1]?.[0] !== true);
  const sizes = mixture(corrected.length, kept.length, settings.criticWeight);
  const key = (purpose: string): DrawKey => ({
    seed: settings.seed,
    iteration: settings.iteration,
    purpose,
    agent,
  });
  const chosen = [
    ...sample(key('corrected'), corrected, sizes.corrected),
    ...sample(key('kept'), kept, sizes.kept),
  ];
  return {
    questions: chosen.toSorted(byQuestion).map(({ questionId }) => questionId),
    corrected: { available: corrected.length, used: sizes.corrected },
    kept: { available: kept.length, used: sizes.kept },
  };
}

/** The agent's whole dialogue; null for an agent that took no part. */
export function criticExample(
  agent: number,
  { dialogues }: Pick<LabelledDebate, 'dialogues'>,
): Example | null {
  return exampleOf(dialogues[agent - 1] ?? []);
}

/** The greatest sizes whose proportion is w : 1 - w to within one row. */
function mixture(corrected: number, kept: number, weight: number): { corrected: number; kept: number } {
  const greatest = Math.min(
    weight > 0 ? corrected / weight : Infinity,
    weight < 1 ? kept / (1 - weight) : Infinity,
  );
  // 3 / (1 - 0.7) is 9.999999999999998: a rounding error must not cost a row.
  const total = Math.floor(greatest * (1 + Number.EPSILON * 4));
  const share = Math.min(Math.round(total * weight), corrected);
  return { corrected: share, kept: Math.min(total - share, kept) };
}

function sample(key: DrawKey, debates: readonly Match[], count: number): Match[] {
  return shuffle(key, debates.toSorted(byQuestion)).slice(0, count);
}
