import { AsyncLocalStorage } from 'node:async_hooks';
import type { Context } from '@temporalio/activity';

/** Which step a line of the log, a figure or a span belongs to. What the step is not about is left out. */
export type StepContext = {
  readonly experiment: string;
  /** The activity's id. */
  readonly step: string;
  readonly attempt: number;
  readonly iteration?: number;
  readonly split?: string;
  readonly shard?: number;
  readonly agent?: number;
  readonly role?: string;
};

/** The step that the calling code is part of; undefined outside of steps. */
export function currentStep(): StepContext | undefined {
  return steps.getStore();
}

/** Runs `work` as part of a step. */
export function withinStep<Result>(step: StepContext, work: () => Result): Result {
  return steps.run(step, work);
}

/** What an activity and its input say of the step that it is. */
export function stepOf({ info }: Context, input: unknown): StepContext {
  const given: Readonly<Record<string, unknown>> =
    typeof input === 'object' && input !== null ? { ...input } : {};
  return {
    ...Object.fromEntries(parts.filter((part) => part in given).map((part) => [part, given[part]])),
    experiment: info.workflowExecution?.workflowId ?? '',
    step: info.activityId,
    attempt: info.attempt,
  };
}

const parts = ['iteration', 'split', 'shard', 'agent', 'role'];
const steps = new AsyncLocalStorage<StepContext>();
