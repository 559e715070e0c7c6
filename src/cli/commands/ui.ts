import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { ColloquyError, messageOf } from '../../errors.ts';
import { openStore } from '../../store/store.ts';
import type { Told } from '../../ui/contents.ts';
import type { LiveExperiment } from '../../ui/experiment-page.tsx';
import type { Live } from '../../ui/server.ts';
import { waitingNotes } from '../../workflows/waiting-notes.ts';
import { portNumber } from '../arguments.ts';
import { command } from '../command.ts';
import { listAll, liveProgress } from '../experiment/progress.ts';
import { readSnapshot, unpauseCommand } from '../experiment/snapshot.ts';
import { endedBy, failureLine, inFlightLines } from './status.ts';
import { connect, type Temporal } from '../server/connect.ts';
import { ExperimentNotFound, unservedQueues } from '../server/workflow.ts';
import { studyProgress } from '../study/follow.ts';
import { interruptSignal } from '../terminal.ts';
import { listSchedules } from './schedule-show.ts';
import { listening, untilAborted } from './ask.ts';

/** `colloquy ui` */
export const ui = command('ui', [
  'colloquy ui                               # prints its address; Ctrl-C ends it',
  'colloquy ui --port 0                      # any free port',
  'COLLOQUY_STORE=s3://bucket/runs colloquy ui',
  'ssh -L 8234:127.0.0.1:8234 HOST colloquy ui        # of another machine, in the browser of this one',
  'The pages only show: nothing in them can change an experiment. They answer to this machine alone, and need no Temporal server.',
])
  .option('--port <port>', 'the port to listen on; 0 means any free one', portNumber, 8234)
  .action(async ({ port }) => {
    const store = openStore();
    await store.check();
    // Imported only here: it loads what makes reports.
    const { createUi } = await import('../../ui/server.ts');
    const { openContents } = await import('../../ui/contents.ts');
    const live = askTemporal();
    const onError = (error: unknown) => console.error(messageOf(error));
    const server = createUi({ contents: openContents(store), live, onError });
    const { signal, dispose } = interruptSignal();
    try {
      const at = await listening(server, '127.0.0.1', port);
      console.log(`http://127.0.0.1:${at}/`);
      console.error(`Showing the store ${store.root}. Ctrl-C ends it.`);
      await untilAborted(signal);
    } finally {
      server.closeAllConnections();
      server.close();
      await live.close();
      dispose();
    }
  });

/** A server that does not answer is asked again after this time: each attempt to connect takes up to two seconds. */
const patienceMs = 10_000;

/** What the pages ask of Temporal, over one connection, which is made again when it is lost. */
export function askTemporal(): Live & { readonly close: () => Promise<void> } {
  let connection: Promise<Temporal> | undefined;
  let silent = { until: 0, why: '' };

  async function close(): Promise<void> {
    const open = connection;
    connection = undefined;
    await (await open?.catch(() => undefined))?.close();
  }

  async function told<Value>(ask: (temporal: Temporal) => Promise<Value>): Promise<Told<Value>> {
    if (Date.now() < silent.until) return { silent: silent.why };
    try {
      connection ??= connect('2s');
      const temporal = await connection;
      return { value: await temporal.client.withDeadline(Date.now() + patienceMs, () => ask(temporal)) };
    } catch (error) {
      const known =
        error instanceof ColloquyError ||
        error instanceof NamespaceNotFoundError ||
        isGrpcServiceError(error);
      if (!known) console.error(messageOf(error));
      silent = {
        until: Date.now() + patienceMs,
        why: error instanceof Error ? error.message : String(error),
      };
      await close();
      return { silent: silent.why };
    }
  }

  return {
    list: () =>
      told(async (temporal) => {
        const [runs, schedules] = await Promise.all([listAll(temporal), listSchedules(temporal)]);
        return { runs, schedules };
      }),
    experiment: (name) => told((temporal) => liveExperiment(temporal, name)),
    study: (name) =>
      told(async (temporal) => {
        const progress = await orNull(studyProgress(temporal, name));
        return progress === null ? null : new Map(progress.cells.map((cell) => [cell.name, cell.state]));
      }),
    close,
  };
}

async function liveExperiment(temporal: Temporal, name: string): Promise<LiveExperiment | null> {
  const snapshot = await orNull(readSnapshot(temporal, name));
  if (snapshot === null) return null;
  const { status, pending, queues } = snapshot;
  const now = Date.now();
  const progress = snapshot.progress === null ? null : liveProgress(snapshot.progress, pending, now);
  const paused = pending.filter(({ pausedBy }) => pausedBy !== undefined);
  const hints = status === 'RUNNING' ? await unservedQueues(temporal, name, queues) : [];
  const failure = await endedBy(temporal, name, snapshot);
  return {
    status,
    progress,
    steps: inFlightLines(
      pending.filter((step) => !paused.includes(step)),
      now,
    ),
    notes: [
      ...(progress === null ? [] : waitingNotes(progress)),
      ...paused.map(({ id, words, pausedBy }) => ({
        says: `An operator has paused a step: ${words}, by ${pausedBy}. To let it go on:`,
        commands: [unpauseCommand(name, id)],
      })),
      ...hints.map((says) => ({ says })),
    ],
    failure: failure === undefined ? null : failureLine(failure),
  };
}

/** Null for what Temporal does not know. */
async function orNull<Value>(asking: Promise<Value>): Promise<Value | null> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof ExperimentNotFound || error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
