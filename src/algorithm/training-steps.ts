/** How many optimiser steps does a fine-tune have, and did it move its model? */
import type { Match } from './labelled-debate.ts';
import { learnerGroups, type Learning } from './methods.ts';
import { learntDatasets, type LearningSettings } from './objectives.ts';

export type StepSettings = {
  readonly num_train_epochs: number;
  readonly per_device_train_batch_size: number;
  readonly gradient_accumulation_steps: number;
};

/** The optimiser steps of a fine-tune on this number of rows, as transformers counts them: an epoch ends with the step of its last rows. */
export function optimiserSteps(rows: number, settings: StepSettings): number {
  const batches = Math.ceil(rows / settings.per_device_train_batch_size);
  return Math.ceil(settings.num_train_epochs * Math.ceil(batches / settings.gradient_accumulation_steps));
}

/** Fewer steps than this are too few for AdamW with a warm-up to get anywhere: `allow_few_steps` allows them. */
export const fewestSteps = 10;

/**
 * The rows that are expected before any question is asked, in words for people. Shares between those of the quickstart and of the paper's
 * own runs (about 330 rows of 500 questions); a model that answers better or worse gives more or fewer.
 */
export const expectation =
  'of 20 dialogues, 13 keep an answer that equals the label, 2 are corrected, and 5 end with another answer';

/** The size that is expected of a dataset before any question is asked. */
export type ExpectedDataset = { readonly role: string; readonly rows: number };

/**
 * The sizes of the datasets of the first model of each role, as the method makes them from debates that go by `expectation`.
 *
 * @param questions about which agents debate in an iteration
 */
export function expectedDatasets(
  learning: Learning,
  { agents, rounds, questions }: { agents: number; rounds: number; questions: number },
  settings: LearningSettings,
): ExpectedDataset[] {
  // STaR's turn has a second round where the first answer was wrong.
  const responses = learning.conversation === 'bootstrap' ? 2 : rounds;
  const debates = Array.from({ length: questions }, (_, index): Match => ({
    questionId: String(index).padStart(9, '0'),
    // 7 and 20 have no common factor, so each agent goes through all of the 20 courses.
    matches: Array.from({ length: agents }, (_, agent) =>
      expectedMatches((7 * (index + agent)) % 20, responses),
    ),
    cut: [],
    margin: 1,
  }));
  const [learners = []] = learnerGroups(agents, learning);
  const datasets = Object.entries(learntDatasets(learning, learners, debates, settings));
  return datasets.map(([role, { rows }]) => ({ role, rows: rows.length }));
}

function expectedMatches(course: number, responses: number): boolean[] {
  return Array.from(
    { length: responses },
    (_, round) => course < 13 || (course < 15 && round === responses - 1 && round > 0),
  );
}

/**
 * A fine-tune that moved its model by less than this did not move it, in nats a token. An answer of 100 tokens then differs by less than
 * 0.01 nats, so that by Pinsker's inequality at most 7 in 100 answers can come out differently. Measured: 9e-8 to 3e-7 where the learning
 * rate was far too low, 7e-3 in the quickstart.
 */
export const leastMove = 1e-4;

/** Whether a fine-tune moved its model; null when that was not measured. */
export function didMove(moved: { readonly klPerToken: number } | null): boolean | null {
  return moved === null ? null : moved.klPerToken >= leastMove;
}
