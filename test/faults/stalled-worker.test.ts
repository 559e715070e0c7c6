/** A worker that was only stalled goes on beside the one that took its work over. */
import { describe } from 'vitest';
import { until } from '../support/until.ts';
import { finishedWork } from './artifacts.ts';
import type { Fault } from './fault.ts';
import { everyPair, faultTable } from './fault-table.ts';
import { moments, release } from './moments.ts';

const stalled: Fault = {
  name: 'SIGSTOP of the worker past the heartbeat timeout, another takes over, SIGCONT',
  strike: async (world, experiment) => {
    const first = world.worker();
    process.kill(first.pid, 'SIGSTOP');
    try {
      const second = await world.startWorker();
      const handle = world.client.workflow.getHandle(experiment);
      await until(
        'the second worker has the work',
        async () =>
          ((await handle.describe()).raw.pendingActivities ?? []).some(({ lastWorkerIdentity }) =>
            lastWorkerIdentity?.startsWith(`${second.pid}@`),
          ),
        60_000,
      );
      const finished = (await finishedWork(world.storeRoot)).size;
      await release(world);
      await until(
        'the second worker has finished something',
        async () => (await finishedWork(world.storeRoot)).size > finished,
        60_000,
      );
    } finally {
      process.kill(first.pid, 'SIGCONT');
    }
    await first.kill('SIGTERM');
  },
  // Once when it stalls, and once when it is ended by SIGTERM: the shards that were not taken over by then went on when it woke up.
  catches: 2,
};

describe('an experiment gives the same results, and repeats only what was in flight, after', () => {
  faultTable({
    file: 'stalled',
    worlds: 'each',
    cells: everyPair([stalled], [moments.round1, moments.thirdFineTune]),
    always: [[stalled, moments.round1]],
  });
});
