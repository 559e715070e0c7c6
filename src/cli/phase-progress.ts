import type { Progress } from '../workflows/progress.ts';
import type { PendingActivity } from './snapshot.ts';

/** How far a phase is, steps in flight counted by their heartbeats. */
export type PhaseProgress = {
  /** 0..1 */
  readonly fraction: number;
  /** In `unit`s, a whole number. */
  readonly done: number;
  readonly total: number;
  readonly unit: 'questions' | 'models' | 'steps';
};

/** The progress of the phase under way. Shards are told as questions: people know how many of those there are. */
export function phaseProgress(progress: Progress, pending: readonly PendingActivity[]): PhaseProgress {
  const inFlight = pending.reduce((sum, { heartbeat }) => sum + fractionOf(heartbeat), 0);
  const total = Math.max(progress.total, 1);
  const fraction = Math.min(1, (progress.done + inFlight) / total);
  if (progress.unit === 'shards' && progress.questions > 0) {
    return {
      fraction,
      done: Math.floor(fraction * progress.questions),
      total: progress.questions,
      unit: 'questions',
    };
  }
  return {
    fraction,
    done: progress.done,
    total: progress.total,
    unit: progress.unit === 'shards' ? 'steps' : progress.unit,
  };
}

function fractionOf(heartbeat: PendingActivity['heartbeat']): number {
  if (heartbeat === undefined) return 0;
  const [done, total] =
    'answers' in heartbeat ? [heartbeat.answers, heartbeat.total] : [heartbeat.step, heartbeat.totalSteps];
  // A step that is not yet counted as done is not wholly done.
  return total > 0 ? Math.min(0.99, done / total) : 0;
}
