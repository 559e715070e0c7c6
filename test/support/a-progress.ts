import type { Progress } from '../../src/workflows/progress.ts';

/** The progress of an experiment named `demo` that has begun to debate, but for `changes`. */
export function aProgress(changes: Partial<Progress> = {}): Progress {
  return {
    experiment: 'demo',
    state: 'running',
    phase: 'debating',
    iteration: 1,
    learns: true,
    iterations: 3,
    done: 0,
    total: 10,
    unit: 'shards',
    questions: 320,
    phaseStartedAt: '2026-11-23T00:00:00.000Z',
    workedSeconds: 0,
    at: '2026-11-23T00:00:00.000Z',
    inFlight: 2,
    retries: 0,
    lastLoss: null,
    droppedRows: 0,
    waiting: [],
    evaluations: [],
    warnings: [],
    ...changes,
  };
}
