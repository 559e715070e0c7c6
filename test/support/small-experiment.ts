/** Two shards of training questions and two held-out ones; one iteration. */
export const smallExperiment = {
  preset: 'quickstart',
  iterations: 1,
  shard_size: 8,
  allow_few_steps: true,
  task: { train_size: 16, test_size: 16 },
  model: { endpoint: 'instant', model_name_or_path: 'instant' },
};
