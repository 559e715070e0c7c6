/** The task queues, one for each kind of work. A worker serves all of them unless told otherwise. */
export const taskQueues = {
  /** Workflows and light activities. */
  control: 'colloquy',
  /** Debates: many requests in flight, waiting on an engine. */
  debate: 'colloquy-debate',
  /** Fine-tunes: one at a time for each GPU. */
  gpu: 'colloquy-gpu',
} as const;
export type TaskQueue = (typeof taskQueues)[keyof typeof taskQueues];
