import { CancellationScope } from '@temporalio/workflow';

/** The steps that are under way, each in a scope of its own, so that all of them can be stopped. */
export type StepsInFlight = {
  readonly begin: () => CancellationScope;
  readonly end: (scope: CancellationScope) => void;
  readonly count: () => number;
  readonly stop: () => void;
  /** Whether `stop` has stopped it, and not a cancellation of the run. */
  readonly wasStopped: (scope: CancellationScope) => boolean;
};

export function stepsInFlight(): StepsInFlight {
  const inFlight = new Set<CancellationScope>();
  const stopped = new WeakSet<CancellationScope>();
  return {
    begin: () => {
      const scope = new CancellationScope();
      inFlight.add(scope);
      return scope;
    },
    end: (scope) => {
      inFlight.delete(scope);
    },
    count: () => inFlight.size,
    stop: () => {
      for (const scope of inFlight) {
        stopped.add(scope);
        scope.cancel();
      }
    },
    wasStopped: (scope) => stopped.has(scope),
  };
}
