/** Can the models of an experiment learn with its config? This is checked before any model is asked a question. */
import type { DatasetSettings } from '../algorithm/imitation-datasets.ts';
import { methods } from '../algorithm/methods/methods.ts';
import {
  expectation,
  type ExpectedDataset,
  expectedDatasets,
  fewestSteps,
  optimiserSteps,
} from '../algorithm/training-steps.ts';
import type { ExperimentConfig } from './experiment.ts';
import type { ConfigFault } from './faults.ts';

/** The settings by which an iteration's datasets are made. */
export function datasetSettings(
  config: Pick<ExperimentConfig, 'seed' | 'critic_weight' | 'critic_mixture' | 'data_matched'>,
  iteration: number,
): DatasetSettings {
  return {
    seed: config.seed,
    iteration,
    criticWeight: config.critic_weight,
    criticMixture: config.critic_mixture,
    dataMatched: config.data_matched,
  };
}

/** A fine-tune that is expected, with the optimiser steps that it will have. */
export type ExpectedFineTune = ExpectedDataset & { readonly steps: number };

/**
 * The fine-tunes of the first learner in one iteration, one for each role. The sizes of the datasets are an estimate: see `expectation`.
 * Empty when nothing is trained.
 *
 * @param questions the number of training questions that are debated in an iteration; null when it is not known yet
 */
export function expectedFineTunes(config: ExperimentConfig, questions: number | null): ExpectedFineTune[] {
  const { learning } = methods[config.method];
  if (!trains(config) || learning === undefined || questions === null) return [];
  const { agents, rounds } = config;
  const datasets = expectedDatasets(learning, { agents, rounds, questions }, datasetSettings(config, 1));
  return datasets.map((each) => ({ ...each, steps: optimiserSteps(each.rows, config.fine_tune) }));
}

function trains({ method, iterations }: ExperimentConfig): boolean {
  return methods[method].learning !== undefined && iterations > 0;
}

/**
 * Why models could not learn with this config, with the settings to change; empty when they can.
 *
 * @param questions see expectedFineTunes
 */
export function trainingFaults(config: ExperimentConfig, questions: number | null): ConfigFault[] {
  const fineTunes = expectedFineTunes(config, questions);
  const faults: ConfigFault[] = [];
  const few = fineTunes.filter(({ steps }) => steps < fewestSteps);
  if (few.length > 0 && !config.allow_few_steps)
    faults.push({ path: 'fine_tune', message: fewStepsText(few, config, questions) });
  return faults;
}

function fewStepsText(
  few: readonly ExpectedFineTune[],
  { fine_tune: settings }: ExperimentConfig,
  questions: number | null,
): string {
  const rowsOfStep = settings.per_device_train_batch_size * settings.gradient_accumulation_steps;
  const models = few.map(
    ({ role, rows, steps }) => `a ${role} model would have about ${rows} rows and ${steps} optimiser steps`,
  );
  return (
    `${models.join(', ')}, and fewer than ${fewestSteps} hardly change a model ` +
    `(${questions} training questions, ${rowsOfStep} rows a step, ${settings.num_train_epochs} epochs; expected: ${expectation}). ` +
    'Lower gradient_accumulation_steps or per_device_train_batch_size, raise num_train_epochs or task.train_size, ' +
    'or set allow_few_steps: true (at the top level of the config, not within fine_tune)'
  );
}
