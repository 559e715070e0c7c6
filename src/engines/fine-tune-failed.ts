import type { FailureKind } from './trainer-events.ts';

/** The trainer gave a fine-tune up, and says why. */
export class FineTuneFailed extends Error {
  override name = 'FineTuneFailed' as const;
  readonly kind: FailureKind;
  /** The trainer's own words. */
  readonly words: string;

  constructor(jobId: string, kind: FailureKind, words: string) {
    super(`${jobId} failed (${kind}): ${words}. ${remedies[kind]}`);
    this.kind = kind;
    this.words = words;
  }
}

const remedies: Readonly<Record<FailureKind, string>> = {
  nan_loss: 'Lower fine_tune.learning_rate.',
  out_of_memory: 'Lower fine_tune.per_device_train_batch_size or max_length, or set gradient_checkpointing.',
  disk_full: 'Make room on the disk that holds the runs.',
  bad_data: 'The dataset cannot be used as it is.',
  bad_settings: 'Correct the settings under fine_tune.',
  missing_model: 'Is model.model_name_or_path right, and can it be reached from here?',
  in_use: 'Two workers have the same fine-tune: the one that only stalled gives way within a minute.',
  internal: "The trainer's log says more.",
};
