import type { ExperimentConfig } from './experiment-config.ts';

/**
 * The settings that no night of a series may change: who learns and how (the method, the base model, the number of agents), and all that
 * decides which questions are held out and in what order the others come. Where a copy of a dataset lies decides nothing. Everything else
 * may change from one night to the next.
 */
export function fixedSettings({
  method,
  agents,
  seed,
  model,
  task,
}: ExperimentConfig): Record<string, unknown> {
  return {
    method,
    agents,
    seed,
    model: { model_name_or_path: model.model_name_or_path },
    task: {
      ...task,
      train_size: undefined,
      train_file: undefined,
      decontaminate: undefined,
      dataset_path: undefined,
      train_dataset_path: undefined,
    },
  };
}
