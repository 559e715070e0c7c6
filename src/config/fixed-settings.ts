import type { ExperimentConfig } from './experiment-config.ts';

/**
 * The settings that no night of a series may change: who learns (the base model, the number of agents), and all that decides which
 * questions are held out and in what order the others come. Everything else may change from one night to the next, also what must
 * not be trained on, and where a copy of a dataset lies.
 */
export function fixedSettings({ agents, seed, model, task }: ExperimentConfig): Record<string, unknown> {
  return {
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
