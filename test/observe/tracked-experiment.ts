/** The records of an experiment that trackers can follow, made up: an iteration more each time it is asked for one. */
import { resolveConfig } from '../../src/config/resolve.ts';
import { writeDocument } from '../../src/store/files/documents.ts';
import { experimentFiles, type ExperimentFiles, type Store } from '../../src/store/store.ts';

/** How many optimiser steps each model has in each iteration. */
export const stepsOfModel = 4;

export async function beginExperiment(
  store: Store,
  name: string,
  settings: object = {},
): Promise<ExperimentFiles> {
  const files = experimentFiles(store, name);
  await writeDocument(files.config, resolveConfig({ iterations: 5, ...settings }));
  await addEvaluation(files, 0);
  return files;
}

/** @param losses of the one model, step by step */
export async function addIteration(
  files: ExperimentFiles,
  iteration: number,
  losses = [2, 1.5, 1.25, 1],
): Promise<void> {
  await writeDocument(files.record(iteration), {
    iteration,
    consensus: {
      questions: 10,
      unanimous: 4,
      ties: 1,
      withoutLabel: 2,
      unparsableAnswers: 0,
      truncatedPrompts: 0,
    },
    datasets: [{ agents: [1], role: 'critic', rows: 7, parts: {} }],
    fineTunes: [
      {
        agent: 1,
        role: 'critic',
        model: 'a'.repeat(64),
        rows: 7,
        steps: stepsOfModel,
        finalLoss: losses.at(-1) ?? null,
        losses: losses.map((loss, index) => ({ step: index + 1, loss })),
      },
    ],
    tokens: { debate: { prompt: 100, completion: 50 }, fineTune: 300 },
    seconds: { debate: 3, datasets: 1, fineTune: 6 },
  });
  await addEvaluation(files, iteration);
}

export async function addEvaluation(files: ExperimentFiles, iteration: number, right = 0.5): Promise<void> {
  const accuracy = { accuracy: right + iteration / 16, standardError: 0.125 };
  await writeDocument(files.evaluation(iteration), {
    evaluation: {
      iteration,
      questions: 16,
      single: accuracy,
      majority: accuracy,
      debate: accuracy,
      debateVersusBase: { wins: iteration, losses: 0, pValue: 1 },
    },
    tokens: { prompt: 200, completion: 80 },
    seconds: 5,
  });
}
