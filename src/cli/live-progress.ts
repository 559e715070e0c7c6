import { type Loss, type Progress, secondsWorked } from '../workflows/progress.ts';
import { phaseProgress } from './phase-progress.ts';
import type { PendingActivity } from './snapshot.ts';

/**
 * An experiment's own progress, and what the server knows of the steps in flight: how far each is, its attempts, the loss of a running
 * fine-tune. The experiment itself is told of those only when a step ends.
 *
 * @param now milliseconds
 */
export function liveProgress(progress: Progress, pending: readonly PendingActivity[], now: number): Progress {
  return {
    ...progress,
    done: phaseProgress(progress, pending).fraction * progress.total,
    workedSeconds: progress.workedSeconds + secondsWorked(progress, now),
    retries: progress.retries + pending.reduce((sum, { attempt }) => sum + attempt - 1, 0),
    lastLoss: pending.map(lossOf).find((loss) => loss !== undefined) ?? progress.lastLoss,
  };
}

function lossOf({ id, heartbeat }: PendingActivity): Loss | undefined {
  const [, iteration, agent, role] = /^finetune-i(\d+)-agent(\d+)-(\w+)$/.exec(id) ?? [];
  if (role === undefined || heartbeat === undefined || !('step' in heartbeat) || heartbeat.loss === null)
    return undefined;
  return { loss: heartbeat.loss, iteration: Number(iteration), agent: Number(agent), role };
}
