/** From which of its own responses does a model learn? The datasets of section 2.3 of the paper. */
import type { Dataset, DatasetRow } from './dataset.ts';
import { cutAt, type Match } from './labelled-debate.ts';
import { byQuestionAndAgent } from './answer.ts';
import { type DrawKey, shuffle } from './random.ts';

/** How datasets are made of debates, by the config's names. */
export type DatasetSettings = {
  readonly seed: number;
  readonly iteration: number;
  /** w: the share of corrected dialogues in a critic dataset, or of the loss that they carry, 0..1. */
  readonly criticWeight: number;
  /** `sample`: w is a share of the rows, and the rows are drawn. `weight`: w is a share of the loss, and all rows are used. */
  readonly criticMixture: 'sample' | 'weight';
  /** Whether a model that agents share learns from as many rows as a model of one agent, and not from N times as many. */
  readonly dataMatched: boolean;
};

/**
 * The generation dataset (section 2.3 of the paper): the first answers of these agents that equal the label and were not cut off.
 *
 * @param agents the agents that share the model, 1..N each: one agent in multiagent finetuning, all agents in the single-agent baselines
 */
export function generationDataset(
  agents: readonly number[],
  debates: readonly Match[],
  settings: DatasetSettings,
): Dataset {
  const rows: DatasetRow[] = [];
  let cut = 0;
  for (const debate of debates) {
    for (const agent of agents) {
      if (debate.matches[agent - 1]?.[0] !== true) continue;
      if (cutAt(debate, agent, 0)) cut += 1;
      else rows.push({ questionId: debate.questionId, agent, completion: 'first answer' });
    }
  }
  const matched = asOfOneAgent('generation', rows, agents, settings);
  return { rows: matched.toSorted(byQuestionAndAgent), parts: {}, cut };
}

/**
 * The critic dataset (section 2.3 of the paper): whole dialogues of these agents whose last answer equals the label. Its parts are the
 * `corrected` ones (wrong in round 1) and the `kept` ones (also right in round 1). The paper's w D- + (1 - w) D+ can be read in two ways:
 *
 * - `sample`: w is a share of the rows. The seeded draw takes the greatest number of rows with the proportion w : 1 - w.
 * - `weight`: w is a share of the loss. All rows are used; the corrected ones together carry w of the loss, and the kept ones 1 - w.
 *
 * Neither changes the proportion to fill the dataset: with 0 < w < 1 a critic without corrected dialogues learns nothing. It would
 * only learn to agree with itself. A dialogue whose last response was cut off is left out. An earlier response of a dialogue may be cut off:
 * it is part of the prompt, on which there is no loss, and the critic meets such responses when it answers, too.
 *
 * @param agents the agents that share the model, 1..N each: one agent in multiagent finetuning, all agents in the single-agent baselines
 */
export function criticDataset(
  agents: readonly number[],
  debates: readonly Match[],
  settings: DatasetSettings,
): Dataset {
  const corrected: DatasetRow[] = [];
  const kept: DatasetRow[] = [];
  let cut = 0;
  for (const debate of debates) {
    for (const agent of agents) {
      const byRound = debate.matches[agent - 1] ?? [];
      if (byRound.length < 2 || byRound.at(-1) !== true) continue;
      if (cutAt(debate, agent, -1)) cut += 1;
      else {
        const part = byRound[0] === true ? kept : corrected;
        part.push({ questionId: debate.questionId, agent, completion: 'revision' });
      }
    }
  }
  const parts = {
    corrected: asOfOneAgent('matched corrected', corrected, agents, settings),
    kept: asOfOneAgent('matched kept', kept, agents, settings),
  };
  const mixed =
    settings.criticMixture === 'weight' ? weighted(parts, settings) : sampled(parts, agents, settings);
  return {
    rows: [...mixed.corrected, ...mixed.kept].toSorted(byQuestionAndAgent),
    parts: {
      corrected: { available: corrected.length, used: mixed.corrected.length },
      kept: { available: kept.length, used: mixed.kept.length },
    },
    cut,
  };
}

type CriticParts = { readonly corrected: readonly DatasetRow[]; readonly kept: readonly DatasetRow[] };

/** All rows, with weights by which the corrected ones together have w of the sum. The mean of the weights is 1. */
function weighted({ corrected, kept }: CriticParts, { criticWeight: w }: DatasetSettings): CriticParts {
  if ((w > 0 && corrected.length === 0) || (w < 1 && kept.length === 0)) return { corrected: [], kept: [] };
  // Rows of weight 0 are left out: their tokens would only count in the number by which the loss is divided.
  if (w === 0) return { corrected: [], kept };
  if (w === 1) return { corrected, kept: [] };
  const total = corrected.length + kept.length;
  const weigh = (rows: readonly DatasetRow[], share: number) =>
    rows.map((row) => ({ ...row, weight: (share * total) / rows.length }));
  return { corrected: weigh(corrected, w), kept: weigh(kept, 1 - w) };
}

/** As many rows as have the proportion w : 1 - w. */
function sampled(
  { corrected, kept }: CriticParts,
  agents: readonly number[],
  settings: DatasetSettings,
): CriticParts {
  const sizes = mixture(corrected.length, kept.length, settings.criticWeight);
  return {
    corrected: sample(keyOf('corrected', agents, settings), corrected, sizes.corrected),
    kept: sample(keyOf('kept', agents, settings), kept, sizes.kept),
  };
}

/**
 * All rows; or, with `data_matched` and N agents that share a model, one row in N, drawn by the seed. The model then learns from as many
 * rows as one agent has on average, which is what each model of multiagent finetuning learns from.
 */
function asOfOneAgent(
  purpose: string,
  rows: readonly DatasetRow[],
  agents: readonly number[],
  settings: DatasetSettings,
): readonly DatasetRow[] {
  if (!settings.dataMatched || agents.length === 1) return rows;
  return sample(keyOf(purpose, agents, settings), rows, Math.round(rows.length / agents.length));
}

/** The dataset of one agent has its own draw; agents that share a model share the draw. */
function keyOf(
  purpose: string,
  agents: readonly number[],
  { seed, iteration }: Pick<DatasetSettings, 'seed' | 'iteration'>,
): DrawKey {
  const [agent] = agents;
  return { seed, iteration, purpose, ...(agents.length === 1 && agent !== undefined ? { agent } : {}) };
}

/** The greatest sizes of the two parts with the proportion w : 1 - w, to within one row. */
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

function sample(key: DrawKey, rows: readonly DatasetRow[], count: number): DatasetRow[] {
  return shuffle(key, rows.toSorted(byQuestionAndAgent)).slice(0, count);
}
