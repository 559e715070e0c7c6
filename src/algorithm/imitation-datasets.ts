/** From which of its own responses does a model learn? The datasets of section 2.3 of the paper. */
import type { Dataset, DatasetRow } from './dataset.ts';
import { cutAt, type Match } from './labelled-debate.ts';
import { byQuestionAndAgent } from './question.ts';
import { type DrawKey, shuffle } from './random.ts';

/**
 * The generation dataset (section 2.3 of the paper): the first answers of these agents that equal the label and were not cut off.
 *
 * @param agents the agents that share the model, 1..N each: one agent in multiagent finetuning, all agents in the single-agent baselines
 */
export function generationDataset(agents: readonly number[], debates: readonly Match[]): Dataset {
  const rows: DatasetRow[] = [];
  let cut = 0;
  for (const debate of debates) {
    for (const agent of agents) {
      if (debate.matches[agent - 1]?.[0] !== true) continue;
      if (cutAt(debate, agent, 0)) cut += 1;
      else rows.push({ questionId: debate.questionId, agent, completion: 'first answer' });
    }
  }
  return { rows: rows.toSorted(byQuestionAndAgent), parts: {}, cut };
}

export type CriticSettings = {
  readonly seed: number;
  readonly iteration: number;
  /** w: the share of corrected dialogues, 0..1. */
  readonly criticWeight: number;
};

/**
 * The critic dataset (section 2.3 of the paper): whole dialogues of these agents whose last answer equals the label. Its parts are the
 * `corrected` ones (wrong in round 1) and the `kept` ones (also right in round 1), mixed w : 1 - w. The seeded draw takes the greatest number
 * of rows with this proportion. The proportion never changes to fill the dataset: a critic without corrected dialogues learns nothing,
 * instead of learning to agree with itself.
 *
 * A dialogue whose last response was cut off is left out. An earlier response of a dialogue may be cut off: it is part of the prompt, on which
 * there is no loss, and when the critic answers, it meets such responses too.
 *
 * @param agents the agents that share the model, 1..N each: one agent in multiagent finetuning, all agents in the single-agent baselines
 */
export function criticDataset(
  agents: readonly number[],
  debates: readonly Match[],
  settings: CriticSettings,
): Dataset {
  const corrected: DatasetRow[] = [];
  const kept: DatasetRow[] = [];
  let cut = 0;
  for (const debate of debates) {
    for (const agent of agents) {
      const byRound = debate.matches[agent - 1] ?? [];
      if (byRound.length < 2 || byRound.at(-1) !== true) continue;
      if (cutAt(debate, agent, -1)) cut += 1;
      else
        (byRound[0] === true ? kept : corrected).push({
          questionId: debate.questionId,
          agent,
          completion: 'revision',
        });
    }
  }
  const sizes = mixture(corrected.length, kept.length, settings.criticWeight);
  const [agent] = agents;
  const key = (purpose: string): DrawKey => ({
    seed: settings.seed,
    iteration: settings.iteration,
    purpose,
    // The dataset of one agent has its own draw; agents that share a model share the draw.
    ...(agents.length === 1 && agent !== undefined ? { agent } : {}),
  });
  const rows = [
    ...sample(key('corrected'), corrected, sizes.corrected),
    ...sample(key('kept'), kept, sizes.kept),
  ];
  return {
    rows: rows.toSorted(byQuestionAndAgent),
    parts: {
      corrected: { available: corrected.length, used: sizes.corrected },
      kept: { available: kept.length, used: sizes.kept },
    },
    cut,
  };
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
