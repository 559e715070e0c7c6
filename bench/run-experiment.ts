import type { Client } from '@temporalio/client';
import { taskQueues } from '../src/workers/task-queues.ts';
import type { experiment } from '../src/workflows/experiment.ts';
import type { Progress } from '../src/workflows/progress.ts';

export type RunSettings = {
  /** Of the workflow; each is used once. */
  readonly name: string;
  /** A seed of its own for each run, so that no request was ever made before. */
  readonly seed: number;
  readonly baseModel: string;
  readonly heldOut: number;
  /** Questions that the agents learn from in one iteration; 0 only evaluates the base. */
  readonly train: number;
};

export type ExperimentRun = {
  /** When the first debate was scheduled and the last one was completed, by Temporal's clock: as Date.now(). */
  readonly debatesFrom: number;
  readonly debatesTo: number;
  /** The longest history among the experiment's runs. */
  readonly history: { readonly events: number; readonly bytes: number };
};

/** Debates of the benchmarks: 3 agents, 2 rounds, every agent shown the others' answers. */
export const answersAQuestion = 3 * 2;

/** Runs an experiment to its end. Throws as soon as a step of it parks. */
export async function runExperiment(client: Client, settings: RunSettings): Promise<ExperimentRun> {
  const handle = await client.workflow.start<typeof experiment>('experiment', {
    workflowId: settings.name,
    taskQueue: taskQueues.control,
    args: [inputOf(settings)],
  });
  let over = false;
  const ended = handle.result().finally(() => (over = true));
  await Promise.race([ended, untilParked()]);

  const runs = [
    client.workflow.getHandle(settings.name, handle.firstExecutionRunId),
    client.workflow.getHandle(settings.name),
  ];
  const sizes = await Promise.all(runs.map((run) => run.describe()));
  const debates = (await Promise.all(runs.map((run) => debateTimes(run)))).flat();
  return {
    debatesFrom: Math.min(...debates),
    debatesTo: Math.max(...debates),
    history: {
      events: Math.max(...sizes.map(({ historyLength }) => historyLength)),
      bytes: Math.max(...sizes.map(({ historySize }) => historySize ?? 0)),
    },
  };

  async function untilParked(): Promise<never> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      if (over) await ended;
      const { state, waiting } = await client.workflow.getHandle(settings.name).query<Progress>('progress');
      if (state === 'parked') throw new Error(`${settings.name} parked: ${JSON.stringify(waiting)}`);
    }
  }
}

function inputOf({ seed, baseModel, heldOut, train }: RunSettings) {
  return {
    preset: 'quickstart',
    seed,
    agents: 3,
    rounds: 2,
    summarize: false,
    shard_size: 32,
    iterations: train === 0 ? 0 : 1,
    task: { train_size: Math.max(1, train), test_size: heldOut },
    model: { endpoint: 'bench', model_name_or_path: baseModel },
  };
}

/** When debates were scheduled and completed in a run, milliseconds since 1970. */
async function debateTimes(run: ReturnType<Client['workflow']['getHandle']>): Promise<number[]> {
  const { events } = await run.fetchHistory();
  const debates = new Set<string>();
  const times: number[] = [];
  for (const event of events ?? []) {
    const completed = event.activityTaskCompletedEventAttributes?.scheduledEventId;
    const isDebate = event.activityTaskScheduledEventAttributes?.activityType?.name === 'debate';
    if (isDebate) debates.add(String(event.eventId));
    if (isDebate || (completed && debates.has(String(completed)))) {
      times.push(Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6);
    }
  }
  return times;
}
