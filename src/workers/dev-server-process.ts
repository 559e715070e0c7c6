/** The process of a dev server: it ends with its starter, even after `kill -9`, and no other one has its database open at the same time. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ColloquyError, exitCodes } from '../errors.ts';
import { isAlive, isMissing, readError } from '../store/files/atomic.ts';

export interface GuardedProcess {
  /** The guardian, leader of the process group that holds the program. Its stdout and stderr are the program's. */
  readonly process: ChildProcess;
  /** The program's exit code; null when a signal ended it. Whatever is left of its group then is killed. */
  readonly exited: Promise<number | null>;
  /** SIGTERM, `graceMs` to leave, then SIGKILL to the whole group. Resolves when it has gone; may be called again. */
  stop(): Promise<void>;
}

export interface SpawnWithParentOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Where the program writes: a file descriptor, or 'pipe' (default) to read `process.stdout`. */
  readonly stdout?: number | 'pipe' | 'ignore';
  readonly stderr?: number | 'pipe' | 'ignore';
  /** Milliseconds between SIGTERM and SIGKILL; default: 5,000. */
  readonly graceMs?: number;
}

/** Starts `command` in a process group of its own, under a guardian that ends it as soon as this process is gone. */
export function spawnWithParent(
  command: string,
  args: readonly string[],
  options: SpawnWithParentOptions = {},
): GuardedProcess {
  const graceMs = options.graceMs ?? 5_000;
  const guardian = spawn(process.execPath, [guardianScript, command, ...args], {
    detached: true,
    stdio: ['pipe', options.stdout ?? 'pipe', options.stderr ?? 'pipe'],
    env: { ...(options.env ?? process.env), EXIT_WITH_PARENT_GRACE_MS: String(graceMs) },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  // A guardian that has gone closes its stdin; what is then written there is of no interest.
  guardian.stdin?.on('error', () => undefined);

  const exited = new Promise<number | null>((resolve) => {
    guardian.once('error', () => resolve(127));
    guardian.once('exit', (code) => {
      // The guardian itself may have been killed: its group outlives it, and must not.
      signalGroup(guardian, 'SIGKILL');
      resolve(code);
    });
  });

  return {
    process: guardian,
    exited,
    async stop() {
      guardian.stdin?.end();
      guardian.kill('SIGTERM');
      const kill = setTimeout(() => signalGroup(guardian, 'SIGKILL'), graceMs + 1_000);
      await exited;
      clearTimeout(kill);
    },
  };
}

const guardianScript = fileURLToPath(new URL('../engines/process/exit-with-parent.mjs', import.meta.url));

function signalGroup(leader: ChildProcess, signal: NodeJS.Signals): void {
  if (leader.pid === undefined) return;
  try {
    process.kill(-leader.pid, signal);
  } catch {
    // The group is empty: there is nothing left to signal.
  }
}

/** Another dev server has the database open: two on one file would undo each other's work. */
export class DevServerDatabaseInUse extends ColloquyError {
  override name = 'DevServerDatabaseInUse' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly dbFilename: string;
  /** Address of the server that has it. */
  readonly address: string;

  constructor(dbFilename: string, holder: Holder) {
    super(
      `${dbFilename} is in use by the Temporal dev server at ${holder.address} (process ${holder.pid}). ` +
        `Use that one, or stop it.`,
    );
    this.dbFilename = dbFilename;
    this.address = holder.address;
  }
}

/**
 * Waits for a server that is leaving, as its starter was killed a moment ago, to let go of the database.
 *
 * @throws DevServerDatabaseInUse when its starter lives, or it still answers after 10 s
 */
export async function untilDatabaseIsFree(dbFilename: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const holder = holderOf(dbFilename);
    if (holder === undefined || !(await listens(holder.address))) return;
    if (isAlive(holder.startedBy) || Date.now() > deadline)
      throw new DevServerDatabaseInUse(dbFilename, holder);
    await sleep(200);
  }
}

/** Notes beside the database who has it; returns what undoes that. */
export function holdDatabase(dbFilename: string, holder: Holder): () => void {
  const file = holderFile(dbFilename);
  writeFileSync(file, JSON.stringify(holder) + '\n');
  return () => rmSync(file, { force: true });
}

export interface Holder {
  /** The server's guardian. */
  readonly pid: number;
  /** The process that the guardian watches. */
  readonly startedBy: number;
  readonly address: string;
  readonly uiUrl?: string | undefined;
}

/** The server that has the database open and is to stay; undefined also while one is leaving. */
export function devServerOf(dbFilename: string): Holder | undefined {
  const holder = holderOf(dbFilename);
  return holder !== undefined && isAlive(holder.startedBy) ? holder : undefined;
}

const holderSchema = z.object({
  pid: z.int(),
  startedBy: z.int(),
  address: z.string(),
  uiUrl: z.string().optional(),
});

function holderFile(dbFilename: string): string {
  return `${dbFilename}.server.json`;
}

function holderOf(dbFilename: string): Holder | undefined {
  const text = textOf(holderFile(dbFilename));
  if (text === undefined) return undefined;
  try {
    const holder = holderSchema.parse(JSON.parse(text));
    return isAlive(holder.pid) ? holder : undefined;
  } catch {
    // A power cut may leave a part of it. The server has then ended too.
    return undefined;
  }
}

/** The text of a file; undefined when there is none. A read that fails for another reason throws: a server may have the database. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw readError(file, error);
  }
}

/** A process id may have been given to another program since: only a server that listens has the database open. */
async function listens(address: string): Promise<boolean> {
  const [host = '127.0.0.1', port = '0'] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), timeout: 1_000 });
    const settle = (listening: boolean): void => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
