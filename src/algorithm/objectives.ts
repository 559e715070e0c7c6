/** By which objective does a model learn from its debates? Each is an entry here, and one file in engine/colloquy_engine/training/objectives. */
import { critic, distilledModel } from './agents.ts';
import { bootstrappedDataset } from './bootstrap.ts';
import type { Dataset, DatasetRow, Ending } from './dataset.ts';
import type { DatasetSettings } from './imitation-datasets.ts';
import { cutAt, giverOf, type Match } from './labelled-debate.ts';
import type { Learning } from './methods.ts';
import { byQuestionAndAgent } from './answer.ts';
import { draw, type DrawKey } from './random.ts';

type Objective = {
  /** Its name in tables. */
  readonly title: string;
  /** TRL's trainer of it. */
  readonly trainer: string;
  /** The weight of an imitation term in its loss, where `fine_tune.sft_weight` does not set it. */
  readonly sftWeight: number;
  /**
   * What a row is. `answers`: one that equals the label, as in section 2.3 of the paper. `pairs`: a chosen and a rejected answer. `labelled
   * answers`: one of a pair, with a label that is true for the chosen one.
   */
  readonly rows: 'answers' | 'pairs' | 'labelled answers';
};

/** The names of the objectives in a config and for the trainer, sorted. docs/objectives.md describes them. */
export const objectiveNames = ['dpo', 'imitation', 'kto'] as const;
export type ObjectiveName = (typeof objectiveNames)[number];

export const objectives: Readonly<Record<ObjectiveName, Objective>> = {
  imitation: { title: 'Imitation', trainer: 'SFTTrainer', rows: 'answers', sftWeight: 0 },
  dpo: { title: 'DPO', trainer: 'DPOTrainer', rows: 'pairs', sftWeight: 1 },
  kto: { title: 'KTO', trainer: 'KTOTrainer', rows: 'labelled answers', sftWeight: 0 },
};

/** Whether an objective also learns from answers that do not equal the label. */
export function compares(objective: ObjectiveName): boolean {
  return objectives[objective].rows !== 'answers';
}

/** How models learn from debates, by the config's names. */
export type LearningSettings = DatasetSettings & {
  /** By role. */
  readonly objectives: Readonly<Record<string, ObjectiveName>>;
  /** Whose answers make a pair: those of the model's own agents alone, or others' too where its own are all on one side. */
  readonly pairs: 'own' | 'group';
  /** A model with fewer pairs keeps to imitation. */
  readonly minPairs: number;
  /** `margin`: a pair counts by the margin of its label (`Match.margin`). */
  readonly labelWeight: 'none' | 'margin';
};

/** A dataset, and the objective by which a model learns from it. */
export type LearntDataset = Dataset & { readonly objective: ObjectiveName };

/**
 * The datasets of the models that `agents` share, by role: the method's own (section 2.3 of the paper), or pairs where the role has an
 * objective that compares answers.
 */
export function learntDatasets(
  learning: Learning,
  agents: readonly number[],
  debates: readonly Match[],
  settings: LearningSettings,
): Record<string, LearntDataset> {
  const imitated = learning.datasets(agents, debates, settings);
  return Object.fromEntries(
    Object.entries(imitated).map(([role, dataset]) => {
      const name = settings.objectives[role] ?? 'imitation';
      return [role, learnt(name, role, dataset, learning.own ?? agents, debates, settings)];
    }),
  );
}

/** Whose answers one model learns from in the end: those of the whole debate, or of its best agent. */
export const distillSources = ['debate', 'best'] as const;
export type DistillSource = (typeof distillSources)[number];

/** What one model learns from the debates of a group. */
export type DistilledDataset = LearntDataset & {
  /** The agents whose answers are its rows, 1..N each. */
  readonly agents: readonly number[];
  /** By agent: how many of its first answers equal the label. */
  readonly agreed: readonly number[];
};

/**
 * What one model learns from the debates of a group. The model is asked once, and so each row is an answer to the question alone. Of each
 * agent it has the first answer, where that equals the label; where only the last one does, it has that one: what the debate has corrected.
 * A first answer speaks of nothing but the question, while a last one may refer to what others wrote. With an objective that compares
 * answers, rows are the pairs of first answers of `preferencePairs`.
 *
 * The best agent is the one whose first answers equal the label most often, as the model too will be asked for first answers; of equals the
 * one with the lowest number. No gold answer takes part.
 */
export function distilledDataset(
  { from, objective }: { readonly from: DistillSource; readonly objective: ObjectiveName },
  group: readonly number[],
  debates: readonly Match[],
  settings: LearningSettings,
): DistilledDataset {
  const agreed = group.map(
    (agent) => debates.filter(({ matches }) => matches[agent - 1]?.[0] === true).length,
  );
  const best = group[agreed.indexOf(Math.max(...agreed))] ?? 1;
  const agents = from === 'best' ? [best] : group;
  const { rows, cut } = bootstrappedDataset(agents, debates);
  const first = rows.filter(({ completion }) => completion === 'first answer').length;
  const corrected = rows.length - first;
  const parts = {
    first: { available: first, used: first },
    corrected: { available: corrected, used: corrected },
  };
  const dataset = learnt(objective, distilledModel, { rows, parts, cut }, agents, debates, settings);
  return { ...dataset, agents, agreed };
}

/**
 * What a model learns from by an objective. Without any pair it learns nothing: there is no answer to prefer. With fewer than `minPairs` it
 * keeps to imitation: so few of them are mostly wrong labels, because pairs exist only where agents disagree.
 */
function learnt(
  objective: ObjectiveName,
  role: string,
  imitation: Dataset,
  agents: readonly number[],
  debates: readonly Match[],
  settings: LearningSettings,
): LearntDataset {
  if (!compares(objective)) return { ...imitation, objective };
  const { pairs, cut } = preferencePairs(role, agents, debates, settings);
  const counted = (used: number) => ({ pairs: { available: pairs.length, used } });
  if (pairs.length > 0 && pairs.length < settings.minPairs)
    return { ...imitation, parts: { ...imitation.parts, ...counted(0) }, objective: 'imitation' };
  const labels =
    objectives[objective].rows === 'labelled answers' ? [{ label: true }, { label: false }] : [{}];
  const rows = pairs.flatMap((pair) =>
    labels.map((label) => ({ ...pair, ending: { ...pair.ending, ...label } })),
  );
  return { rows, parts: counted(pairs.length), cut, objective };
}

type Pair = DatasetRow & { readonly ending: Ending };

/**
 * The pairs of a model: two answers to one prompt, of which the chosen one equals the label and the rejected one does not. At most one of a
 * question. A generation model's pairs are first answers to the question, samples (more of them on demand) among them; a critic's are last
 * answers behind one dialogue, in which the agent has read the others' answers.
 *
 * Each side is drawn by the seed from the answers of the model's own agents, or with `pairs: group` from the others' where its own agents gave
 * none of that side. One of the two is always its own, and so is the dialogue. An answer that was cut off is on no side. With weights, a pair
 * whose label is a tie has weight 0, and is none.
 *
 * @param agents the agents that share the model, 1..N each
 */
export function preferencePairs(
  role: string,
  agents: readonly number[],
  debates: readonly Match[],
  settings: Pick<LearningSettings, 'seed' | 'iteration' | 'pairs' | 'labelWeight'>,
): { readonly pairs: readonly Pair[]; readonly cut: number } {
  const revised = role === critic.name;
  const pairs: Pair[] = [];
  let cut = 0;
  for (const debate of debates) {
    const { chosen, rejected, cut: cutHere } = sides(debate, revised ? -1 : 0);
    const own = (side: readonly number[]) => side.filter((place) => agents.includes(giverOf(debate, place)));
    cut += own(cutHere).length;
    if (own(chosen).length + own(rejected).length === 0) continue;
    const pick = (name: string, side: readonly number[]): number | undefined => {
      const candidates = own(side).length > 0 || settings.pairs === 'own' ? own(side) : side;
      return candidates[
        draw(keyOf(`${name} ${role}`, debate, agents, settings), Math.max(1, candidates.length))
      ];
    };
    const [better, worse] = [pick('chosen', chosen), pick('rejected', rejected)];
    const weight = settings.labelWeight === 'margin' ? (debate.margin ?? 0) : 1;
    if (better === undefined || worse === undefined || weight === 0) continue;
    pairs.push({
      questionId: debate.questionId,
      agent: giverOf(debate, own([better]).length > 0 ? better : worse),
      completion: revised ? 'revision' : 'first answer',
      ending: { chosen: better, rejected: worse },
      ...(settings.labelWeight === 'margin' ? { weight } : {}),
    });
  }
  return { pairs: relative(pairs).toSorted(byQuestionAndAgent), cut };
}

/** The agents (and places of samples) whose answer of a round equals the label, those whose answer does not, and those whose answer was cut off. */
function sides(debate: Match, index: 0 | -1): Record<'chosen' | 'rejected' | 'cut', number[]> {
  const found: Record<'chosen' | 'rejected' | 'cut', number[]> = { chosen: [], rejected: [], cut: [] };
  for (const [place, byRound] of debate.matches.entries()) {
    const agent = place + 1;
    // A debate that stopped after round 1 has no last answer of a critic.
    if (byRound.length < (index === 0 ? 1 : 2)) continue;
    found[cutAt(debate, agent, index) ? 'cut' : byRound.at(index) === true ? 'chosen' : 'rejected'].push(
      agent,
    );
  }
  return found;
}

/** The draw of a model: its agent's own, or one that the agents share. */
function keyOf(
  purpose: string,
  { questionId }: Match,
  agents: readonly number[],
  { seed, iteration }: Pick<LearningSettings, 'seed' | 'iteration'>,
): DrawKey {
  const [agent] = agents;
  const own = agents.length === 1 && agent !== undefined ? { agent } : {};
  return { seed, iteration, purpose, question: questionId, ...own };
}

/** The weights over their mean, so that it is 1. */
function relative(pairs: readonly Pair[]): readonly Pair[] {
  // In the order of questions: a sum of floating-point numbers depends on its order.
  const sorted = pairs.toSorted(byQuestionAndAgent);
  const mean = sorted.reduce((sum, { weight = 1 }) => sum + weight, 0) / sorted.length;
  return pairs.map((pair) => (pair.weight === undefined ? pair : { ...pair, weight: pair.weight / mean }));
}
