/** What commands start on this machine when it is missing: tools, a Temporal server, a worker. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import {
  colloquy,
  isClone,
  projectRoot,
  type Tools,
  tools,
  ToolsMissing,
} from '../../config/installation.ts';
import { makeFolder } from '../../store/files/atomic.ts';
import { openStore } from '../../store/store.ts';
import {
  DevServerDatabaseInUse,
  type GuardedProcess,
  spawnWithParent,
} from '../../workers/dev-server-process.ts';
import { configuredAddress, connect, devDatabase, useLocalServer } from './connect.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** Prints a line for the person at the terminal. */
type Say = (line: string) => void;

/** A server to work with. `stop` ends it if it was started here. */
export type LocalServer = { stop(): Promise<void> };

/**
 * Chooses the Temporal server of this process: the configured one when an address is configured, otherwise this project's dev
 * server, which is started unless it runs.
 *
 * @throws TemporalNotReachable when a configured server does not answer; DevServerFailed, SetUpFailed
 */
export async function openLocalServer(say: Say): Promise<LocalServer> {
  const configured = configuredAddress();
  if (configured !== undefined) {
    await (await connect()).close();
    say(`Using the Temporal server at ${configured}`);
    return { stop: async () => undefined };
  }
  await requireTools('temporal');
  try {
    const { startDevServer } = await import('../../workers/dev-server.ts');
    const server = await startDevServer({ dbFilename: devDatabase() });
    useLocalServer(server.address);
    say(
      `Started a Temporal dev server at ${server.address}${server.portChanged ? ', because the usual port is taken' : ''}`,
    );
    return server;
  } catch (error) {
    if (!(error instanceof DevServerDatabaseInUse)) throw error;
    useLocalServer(error.address);
    say(`Using the Temporal dev server that runs at ${error.address}`);
    return { stop: async () => undefined };
  }
}

/** A worker in its own process, restarted when it dies. */
export type SupervisedWorker = {
  /** Aborts when the worker keeps dying. */
  readonly gaveUp: AbortSignal;
  /** Lets the worker save what is in flight; resolves when its process has ended. */
  stop(): Promise<void>;
};

/** Long enough to write a trainer's checkpoint and to stop the engines. */
const graceMs = 40_000;
const deathsInARow = 3;
/** A worker that lived this long had started well. */
const livedMs = 30_000;

/**
 * Flags for the Node of a worker. It keeps new objects in up to 64 MB before it looks which of them are still used; most objects of an answer are
 * not used for long. With Node's own 16 MB this search took a tenth of the worker's time for an answer (docs/benchmarks.md).
 */
export const workerNodeFlags = ['--max-semi-space-size=64'];

/** Runs `colloquy worker` with its output in a log file, and starts it again when it dies. It never outlives this process. */
export async function superviseWorker(say: Say): Promise<SupervisedWorker> {
  await requireTools('python');
  const { logs } = openStore();
  const logFile = join(logs, 'worker.log');
  await makeFolder(logs);
  const gaveUp = new AbortController();
  let stopping = false;
  let deaths = 0;
  let current: GuardedProcess;

  const start = (): void => {
    const began = Date.now();
    const log = openSync(logFile, 'a');
    current = spawnWithParent(
      process.execPath,
      [...workerNodeFlags, join(projectRoot, 'bin', 'colloquy.mjs'), 'worker', '--quiet'],
      { stdout: log, stderr: log, graceMs },
    );
    closeSync(log);
    void current.exited.then((code) => {
      if (stopping) return;
      deaths = Date.now() - began > livedMs ? 1 : deaths + 1;
      const how = code === null ? 'was killed' : `ended with ${code}`;
      if (deaths < deathsInARow) {
        say(`The worker ${how} (log: ${logFile}); starting it again.`);
        start();
      } else {
        say(`The worker ${how} ${deaths} times in a row. Its log says why: ${logFile}`);
        gaveUp.abort();
      }
    });
  };
  start();

  return {
    gaveUp: gaveUp.signal,
    async stop() {
      stopping = true;
      await current.stop();
    },
  };
}

/**
 * Sets up those of the tools that are missing, with the progress on stderr. In a clone it does nothing, because there the set-up may install
 * the npm packages too, from which this process runs.
 *
 * @throws SetUpFailed
 */
export async function requireTools(...names: readonly (keyof Tools)[]): Promise<void> {
  const missing = isClone ? [] : names.filter(isMissing);
  if (missing.length > 0) await runSetUp('setup.mjs', missing);
}

function isMissing(name: keyof Tools): boolean {
  try {
    return tools()[name] === '';
  } catch (error) {
    if (error instanceof ToolsMissing) return true;
    throw error;
  }
}

/**
 * Runs one of the programs in `scripts` that set something up. It ends with this process, however that ends.
 *
 * @throws SetUpFailed
 */
export async function runSetUp(script: string, args: readonly string[] = []): Promise<void> {
  const program = join(projectRoot, 'scripts', script);
  // stdout is for results.
  const { exited } = spawnWithParent(process.execPath, [program, ...args], { stdout: 2, stderr: 2 });
  if ((await exited) !== 0) throw new SetUpFailed();
}

/** What the set-up said stands above this message. */
export class SetUpFailed extends ColloquyError {
  override name = 'SetUpFailed' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;

  constructor() {
    super(
      `The set-up did not come to its end: the reason stands above. What is done stays done. Again: ${colloquy} setup`,
    );
  }
}
