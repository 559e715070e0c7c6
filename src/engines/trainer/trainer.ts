/** The port to what fine-tunes: what every kind of trainer does (test/engines/trainer.contract.ts). */
import type { TrainerProgress, TrainerSettings } from '../../config/contract.ts';
import type { TrainingCheck } from '../../config/server-contract.ts';
import type { ArtifactRef } from '../../store/files/sealed.ts';
import type { BaseModel, Model } from '../../store/models.ts';

/**
 * What to train. Files are named by their references in the store, never by paths, so that a trainer may run on another machine. The
 * new model is put into the store under the job's key.
 */
export type FineTuneJob = {
  /** The model that training starts from. The new model has the same base. */
  readonly init: Model;
  /** The rows to learn from. */
  readonly dataset: ArtifactRef;
  readonly seed: number;
  readonly settings: TrainerSettings;
};

/**
 * Fine-tunes models. A job's key is the content address of the model that it makes (`modelKey`), and so the job's own id. The model's
 * manifest in the store is the only proof that a job is done: the end of `watch` alone is no proof.
 */
export interface Trainer {
  /**
   * Rows like these and these target modules can be trained on this base model.
   *
   * @throws TrainingImpossible; FineTuneFailed and TrainerExited when it cannot be found out; ModelFolderMissing; the signal's reason
   */
  check(base: Pick<BaseModel, 'name'>, check: TrainingCheck, signal: AbortSignal): Promise<void>;
  /**
   * Has a model made, and resolves when the job is accepted. Nothing happens when the job is accepted already or when the store has the
   * finished model. A job that was stopped or that failed continues from its newest complete checkpoint.
   *
   * @throws ArtifactMissing, ModelFolderMissing when a file of the job is not there
   */
  submit(key: string, job: FineTuneJob): Promise<void>;
  /**
   * Reports a job: first the newest event that it has had, if any, then each event that follows. Ends when the model is finished. Several
   * callers may watch a job at once, also those that did not submit it.
   *
   * @throws the job's failure; FineTuneStopped after `stop`; FineTuneNotSubmitted when there is neither a job nor a finished model;
   *   the signal's reason, and the job goes on
   */
  watch(key: string, signal: AbortSignal): AsyncIterable<TrainerProgress>;
  /**
   * Stops a job after a checkpoint, or takes it out of the queue. Resolves when the job writes nothing any more; nothing happens when
   * there is no such job.
   */
  stop(key: string): Promise<void>;
  /** Stops all jobs, ends what the trainer has started, and refuses further jobs (EngineClosed). */
  close(): Promise<void>;
}
