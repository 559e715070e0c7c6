import type { Endpoints } from '../engines/endpoints.ts';
import type { GpuGate } from '../engines/gpu-gate.ts';
import type { Trainer } from '../engines/trainer-process.ts';
import type { Store } from '../store/open-store.ts';
import type { Grader } from '../tasks/graders/grader.ts';

/** What activities have an effect on. The worker passes the real ones. */
export type Dependencies = {
  readonly store: Store;
  /** What answers for an experiment's base model and its fine-tunes. */
  readonly endpoints: Endpoints;
  readonly trainer: Trainer;
  readonly grader: Grader;
  /** Keeps fine-tunes and answers from using one GPU at the same time. */
  readonly gate: GpuGate;
  /** Whether runs that begin here are to set Temporal's search attributes. */
  readonly searchAttributes: boolean;
};
