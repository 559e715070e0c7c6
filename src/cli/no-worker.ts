import { taskQueues } from '../workflows/server-names.ts';
import type { Temporal } from './connect.ts';

/** Nobody serves the workflows, so nobody can answer for an experiment. */
export class NoWorker extends Error {
  override name = 'NoWorker' as const;

  constructor() {
    super(noWorkerHint);
  }
}

/** What to do when nobody works. */
export const noWorkerHint = `No worker serves the task queue "${taskQueues.control}". Start one in another terminal:  npx colloquy worker`;

/** Whether a worker has asked for workflow tasks lately. Its long poll lasts a minute, so one just killed still counts. */
export async function hasWorker({ client, namespace }: Temporal): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: taskQueues.control },
  });
  const lately = Date.now() / 1000 - 70;
  return (pollers ?? []).some(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) > lately);
}
