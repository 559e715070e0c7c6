/** Temporal's own development server (one process, SQLite, web UI), started by and living only as long as this process. */
import { closeSync, existsSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { childEnvironment, tools } from '../config/installation.ts';
import { lastLogLines } from '../engines/process/log-file.ts';
import { freePort } from '../engines/process/process-group.ts';
import { cliTypes, registerSearchAttributes } from './namespace.ts';
import { DiskFull } from '../store/errors.ts';
import { makeFolder, writeError } from '../store/files/atomic.ts';
import { searchAttributes } from '../workflows/track-progress.ts';
import {
  type GuardedProcess,
  holdDatabase,
  spawnWithParent,
  untilDatabaseIsFree,
} from './dev-server-process.ts';
import { ColloquyError, exitCodes } from '../errors.ts';

export interface DevServerOptions {
  /** Where the server keeps everything; without it all is in memory and gone with the server. */
  readonly dbFilename?: string;
  /** The gRPC port; default: 7233; 0 is any free one. */
  readonly port?: number;
  /** The port of the web UI; default: 8233; 0 is any free one. */
  readonly uiPort?: number;
  /** No web UI. */
  readonly headless?: boolean;
  /** Where the server's own log goes: beside the database, else in the system's temporary folder. */
  readonly logFile?: string;
  /** More arguments of `temporal server start-dev`, for tests (dynamic config values). */
  readonly extraArgs?: readonly string[];
}

export interface DevServer {
  /** `127.0.0.1:PORT` of the gRPC service. */
  readonly address: string;
  readonly uiUrl?: string;
  /** The wanted port (or the UI's) was taken, so another is used: say so. */
  readonly portChanged: boolean;
  readonly logFile: string;
  /** Resolves when the server has gone; its database is complete then. */
  stop(): Promise<void>;
  /** Settles when the server ends, for whatever reason: its exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
}

/**
 * Starts the server and waits until it answers for its namespace `default`.
 *
 * @throws ToolsMissing without a Temporal CLI; DevServerDatabaseInUse when another server has `dbFilename` open;
 *   DevServerFailed when it exits or does not answer within 60 s; DiskFull, StoreNotWritable
 */
export async function startDevServer(options: DevServerOptions = {}): Promise<DevServer> {
  const place = options.dbFilename ?? options.logFile ?? tmpdir();
  try {
    return await start(options);
  } catch (error) {
    // On a full disk the server may end without a message, because its log is on that disk too.
    if (error instanceof DevServerFailed && hasNoRoom(dirname(resolve(place))))
      throw new DiskFull(
        place,
        new Error(`the Temporal dev server needs ${leastRoom / 1e6} MB there`, { cause: error }),
      );
    throw writeError(place, error);
  }
}

/** For a new database and the server's log. Bytes. */
const leastRoom = 5_000_000;

function hasNoRoom(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < leastRoom;
}

async function start(options: DevServerOptions): Promise<DevServer> {
  const { temporal } = tools();
  const dbFilename = options.dbFilename === undefined ? undefined : resolve(options.dbFilename);
  if (dbFilename !== undefined) {
    await makeFolder(dirname(dbFilename));
    await untilDatabaseIsFree(dbFilename);
  }
  const logFile = resolve(
    options.logFile ?? (dbFilename ?? join(tmpdir(), `colloquy-temporal-${process.pid}`)) + '.log',
  );

  for (let attempt = 1; ; attempt += 1) {
    const wantedPort = options.port ?? 7233;
    const wantedUiPort = options.uiPort ?? 8233;
    const port = await freePort(wantedPort);
    const uiPort = options.headless ? undefined : await freePort(wantedUiPort);
    const address = `127.0.0.1:${port}`;
    const isNew = dbFilename === undefined || !existsSync(dbFilename);
    const log = openSync(logFile, 'w');
    const args = [
      ...startDevArgs(port, uiPort, dbFilename),
      ...(isNew ? registeringArgs : []),
      ...(options.extraArgs ?? []),
    ];
    const server = spawnWithParent(temporal, args, {
      stdout: log,
      stderr: log,
      env: childEnvironment(),
      ...(dbFilename === undefined ? {} : { cwd: dirname(dbFilename) }),
    });
    closeSync(log);
    try {
      await untilItAnswers(address, server, logFile);
      if (!isNew) await registerSearchAttributes(address, 'default');
    } catch (error) {
      await server.stop();
      if (attempt < 3 && portWasTaken(readFileSync(logFile, 'utf8'))) continue;
      throw error;
    }
    const ui = uiPort === undefined ? {} : { uiUrl: `http://127.0.0.1:${uiPort}` };
    if (dbFilename !== undefined) {
      const holder = { pid: server.process.pid ?? 0, startedBy: process.pid, address, ...ui };
      void server.exited.then(holdDatabase(dbFilename, holder));
    }
    return {
      address,
      ...ui,
      portChanged:
        (wantedPort !== 0 && port !== wantedPort) ||
        (uiPort !== undefined && wantedUiPort !== 0 && uiPort !== wantedUiPort),
      logFile,
      stop: () => server.stop(),
      exited: server.exited,
    };
  }
}

/**
 * Whether a server ended because another process took a port between the look and the start: this port, or one of those that the server
 * chooses for its own parts. It then panics, and the reason stands above a long stack.
 *
 * @param log all that the server has logged
 */
export function portWasTaken(log: string): boolean {
  return /address already in use|failed (?:to assign a free|assigning ephemeral) port/.test(log);
}

/** The server ended, or never answered. */
export class DevServerFailed extends ColloquyError {
  override name = 'DevServerFailed' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly logFile: string;

  constructor(what: string, logFile: string) {
    const panic = /^panic: .*$/m.exec(readFileSync(logFile, 'utf8'))?.[0];
    super(
      `The Temporal dev server ${what}${panic === undefined ? '' : ` (${panic})`}. Its log (${logFile}) ends:\n${lastLogLines(logFile)}`,
    );
    this.logFile = logFile;
  }
}

const partitions = ['numTaskqueueReadPartitions', 'numTaskqueueWritePartitions'];

function startDevArgs(port: number, uiPort: number | undefined, dbFilename: string | undefined): string[] {
  return [
    'server',
    'start-dev',
    '--ip=127.0.0.1',
    `--port=${port}`,
    '--log-level=warn',
    ...(uiPort === undefined ? ['--headless'] : [`--ui-port=${uiPort}`]),
    // With its four partitions of a task queue, a task that had to wait may wait for up to two seconds more after a worker has asked for it.
    ...partitions.flatMap((setting) => ['--dynamic-config-value', `matching.${setting}=1`]),
    // Relative to the server's working folder: the server puts the name into a URI, where `#`, `?` and `%` have a meaning.
    ...(dbFilename === undefined ? [] : [`--db-filename=${basename(dbFilename)}`]),
  ];
}

/** The search attributes are registered before the first run may set them; the server heeds these options for a new database only. */
const registeringArgs = Object.values(searchAttributes).flatMap(({ name, type }) => [
  '--search-attribute',
  `${name}=${cliTypes[type]}`,
]);

async function untilItAnswers(address: string, server: GuardedProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  let ended: { readonly code: number | null } | undefined;
  void server.exited.then((code) => (ended = { code }));
  while (Date.now() < deadline) {
    if (ended !== undefined) throw new DevServerFailed(`ended with ${ended.code ?? 'a signal'}`, logFile);
    if (await answers(address)) return;
    await sleep(100);
  }
  throw new DevServerFailed('did not answer within 60 s', logFile);
}

async function answers(address: string): Promise<boolean> {
  // The client's own retries are left out: the first one comes after a second, and the server is there in a third of a second.
  const connection = Connection.lazy({ address, interceptors: [] });
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.describeNamespace({ namespace: 'default' }),
    );
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}
