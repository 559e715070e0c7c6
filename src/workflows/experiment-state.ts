import type { Agent } from '../algorithm/agents.ts';
import type { Evaluation } from '../algorithm/evaluation.ts';
import type { Plan } from '../activities/prepare.ts';
import type { ModelRef } from '../store/model-ref.ts';
import type { Loss } from './progress.ts';

/** What one run hands to the next: references and figures, never texts. */
export type ExperimentState = {
  readonly plan: Plan;
  /** The iteration that this run does; 0 is the evaluation of the base model. */
  readonly iteration: number;
  /** L, as the config or the last `setIterations` says. */
  readonly iterations: number;
  /** The agents as the iteration before left them. */
  readonly agents: readonly Agent<ModelRef>[];
  readonly evaluations: readonly Evaluation[];
  /** It began anew to make again what was damaged: once for an experiment. */
  readonly begunAnew?: true;
  /** What the progress goes on from. */
  readonly retries?: number;
  readonly lastLoss?: Loss | null;
};
