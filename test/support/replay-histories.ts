import { setTimeout as pause } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { largestPayload } from './largest-payload.ts';
import { sharedBundle } from './shared-bundle.ts';

/** One run of one workflow: a continued, reset or restarted workflow has several. */
export type Run = { readonly workflowId: string; readonly runId: string };

export type Replayed = Run & { readonly events: number; readonly largestPayload: number };

/**
 * Replays every history of the client's namespace: each run of each chain, reset and restarted ones, and as far as it has come one
 * that still runs. The namespace is the caller's own, and its workers have stopped.
 *
 * @throws when a history cannot be replayed, and when one was made that is not among those replayed
 */
export async function replayHistories(
  client: Client,
  {
    started = [],
    bundle = sharedBundle(),
    visibleWithinMs = 15_000,
  }: {
    /** What is known to have been started, which must be among them. */
    readonly started?: readonly Run[];
    /** Today's workflows if not given. */
    readonly bundle?: Promise<{ readonly code: string }>;
    readonly visibleWithinMs?: number;
  } = {},
): Promise<Replayed[]> {
  const histories = await everyHistory(client, started, visibleWithinMs);
  const failures: string[] = [];
  let replayed = 0;
  for await (const { error, workflowId, runId } of Worker.runReplayHistories(
    { workflowBundle: await bundle },
    histories,
  )) {
    replayed++;
    if (error) failures.push(`${workflowId} (run ${runId}): ${error.message}`);
  }
  if (failures.length > 0) throw new Error(`These histories do not replay:\n${failures.join('\n')}`);
  const after = await runsOf(client);
  if (replayed !== histories.length || after.length !== histories.length)
    throw new Error(
      `Only ${replayed} of ${after.length} histories were replayed. Stop the workers before the histories are replayed.`,
    );
  return histories.map(({ workflowId, runId, history }) => ({
    workflowId,
    runId,
    events: history.events?.length ?? 0,
    largestPayload: largestPayload(history),
  }));
}

type RunWithHistory = Run & { readonly history: Awaited<ReturnType<WorkflowHandle['fetchHistory']>> };

/** The server lists a run some time after it began: until all are listed that were started or that another one names. */
async function everyHistory(
  client: Client,
  started: readonly Run[],
  visibleWithinMs: number,
): Promise<RunWithHistory[]> {
  const fetched = new Map<string, RunWithHistory>();
  for (const deadline = Date.now() + visibleWithinMs; ; await pause(50)) {
    for (const { workflowId, runId } of await runsOf(client)) {
      if (fetched.has(runId)) continue;
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      fetched.set(runId, { workflowId, runId, history });
    }
    const named = [...fetched.values()].flatMap(runsNamedIn);
    const missing = [...started, ...named].filter(({ runId }) => !fetched.has(runId));
    if (missing.length === 0) return [...fetched.values()];
    if (Date.now() > deadline)
      throw new Error(
        `Histories that were made and not replayed, as the server does not list them: ${JSON.stringify(missing)}`,
      );
  }
}

async function runsOf(client: Client): Promise<Run[]> {
  const runs: Run[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) runs.push({ workflowId, runId });
  return runs;
}

/** The runs before and after it in its chain, and those from and to which it was reset. */
function runsNamedIn({ workflowId, history }: RunWithHistory): Run[] {
  const named = (history.events ?? []).flatMap((event) => [
    event.workflowExecutionStartedEventAttributes?.firstExecutionRunId,
    event.workflowExecutionStartedEventAttributes?.continuedExecutionRunId,
    event.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId,
    event.workflowTaskFailedEventAttributes?.baseRunId,
    event.workflowTaskFailedEventAttributes?.newRunId,
  ]);
  return named.flatMap((runId) => (runId ? [{ workflowId, runId }] : []));
}
