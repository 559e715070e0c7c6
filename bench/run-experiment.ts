import { setTimeout } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { taskQueues } from '../src/workflows/temporal.ts';
import { largestPayload } from '../test/support/largest-payload.ts';
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
  /** Questions of a shard; 32 by default. */
  readonly shardSize?: number;
};

export type ExperimentRun = {
  /** When the first debate was scheduled and the last one was completed, by Temporal's clock: as Date.now(). */
  readonly debatesFrom: number;
  readonly debatesTo: number;
  /** The most events, bytes and bytes of one payload among the histories of the experiment's runs. */
  readonly history: { readonly events: number; readonly bytes: number; readonly largestPayload: number };
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
  await endOf(handle);

  const runs = [
    client.workflow.getHandle(settings.name, handle.firstExecutionRunId),
    client.workflow.getHandle(settings.name),
  ];
  const sizes = await Promise.all(runs.map((run) => run.describe()));
  const histories = await Promise.all(runs.map((run) => run.fetchHistory()));
  const debates = histories.flatMap(debateTimes);
  return {
    debatesFrom: Math.min(...debates),
    debatesTo: Math.max(...debates),
    history: {
      events: Math.max(...sizes.map(({ historyLength }) => historyLength)),
      bytes: Math.max(...sizes.map(({ historySize }) => historySize ?? 0)),
      largestPayload: Math.max(...histories.map(largestPayload)),
    },
  };
}

/** The run's end. A step that parks would wait for a person: then the run is ended, and its reason thrown. */
async function endOf(handle: WorkflowHandle): Promise<void> {
  const watching = new AbortController();
  const parked = whenParked(handle, watching.signal);
  try {
    await handle.result();
  } catch (error) {
    watching.abort();
    const waiting = await parked;
    if (waiting === undefined) throw error;
    throw new Error(`${handle.workflowId} parked: ${JSON.stringify(waiting)}`, { cause: error });
  } finally {
    watching.abort();
  }
}

async function whenParked(
  handle: WorkflowHandle,
  signal: AbortSignal,
): Promise<Progress['waiting'] | undefined> {
  while (!signal.aborted) {
    await setTimeout(2_000, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    // A busy machine answers late, or not at all: the next look will tell.
    const progress = await handle.query<Progress>('progress').catch(() => undefined);
    if (progress?.state !== 'parked') continue;
    await handle.terminate();
    return progress.waiting;
  }
  return undefined;
}

function inputOf({ seed, baseModel, heldOut, train, shardSize = 32 }: RunSettings) {
  return {
    preset: 'quickstart',
    seed,
    agents: 3,
    rounds: 2,
    summarize: false,
    shard_size: shardSize,
    allow_few_steps: true,
    iterations: train === 0 ? 0 : 1,
    // Ranges with more than enough questions for the biggest run.
    task: {
      train_size: Math.max(1, train),
      test_size: heldOut,
      ranges: { a: [0, 99], b: [2, 9], c: [2, 9], d: [0, 99] },
    },
    model: { endpoint: 'bench', model_name_or_path: baseModel },
  };
}

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** When debates were scheduled and completed in a run, milliseconds since 1970. */
function debateTimes({ events }: History): number[] {
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
