/** Which files of the Hugging Face hub do the tasks read that have a dataset of their own? */

/** A dataset of the Hugging Face hub. */
export type HubDataset = {
  /** Its name on the hub. */
  readonly name: string;
  /** A commit, so that an experiment asks the same questions next year. */
  readonly revision: string;
  /** The configs that are read, in this order. */
  readonly configs: readonly string[];
  /** The path of the file with the rows of a split of a config. */
  readonly file: string;
};

const shard = '{config}/{split}-00000-of-00001.parquet';

/** The commits and file names are those that many public repositories pin and load; docs/tasks.md explains how that was checked. */
export const hubDatasets = {
  gsm8k: {
    name: 'openai/gsm8k',
    revision: '740312add88f781978c0658806c59bc2815b9866',
    configs: ['main'],
    file: shard,
  },
  math: {
    name: 'EleutherAI/hendrycks_math',
    revision: '21a5633873b6a120296cce3e2df9d5550074f4a3',
    configs: [
      'algebra',
      'counting_and_probability',
      'geometry',
      'intermediate_algebra',
      'number_theory',
      'prealgebra',
      'precalculus',
    ],
    file: shard,
  },
  'math-500': {
    name: 'HuggingFaceH4/MATH-500',
    revision: '6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be',
    configs: ['default'],
    file: '{split}.jsonl',
  },
  mmlu: {
    name: 'cais/mmlu',
    revision: 'c30699e8356da336a370243923dbaf21066bb9fe',
    configs: ['all'],
    file: shard,
  },
} as const satisfies Record<string, HubDataset>;
