/** Child processes in groups of their own, so that stopping one stops whatever it started too. */
import { spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnvironment, setUpCommand } from '../../config/installation.ts';
import { fileURLToPath } from 'node:url';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { openProgramLog, type ProgramLog, readLines } from './log-file.ts';

export interface ProcessGroup extends BareGroup {
  readonly log: Pick<ProgramLog, 'file' | 'lines' | 'ending'>;
}

/** A group whose output nothing reads yet. */
export interface BareGroup {
  /** Of the leader, and so of the group. */
  readonly pid: number;
  readonly stdin: Writable;
  /** To be read by the caller; empty when the log has it. */
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Settles when the leader has ended, its output is read, and nothing is left of the group. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** SIGTERM to the group, SIGKILL after `graceMs`; resolves with `exited`. May be called again. */
  stop(graceMs: number): Promise<ExitStatus>;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface BareGroupOptions {
  readonly cwd?: string | undefined;
  /** This process's by default. Of either, the program gets what `childEnvironment` lets through. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Variables that it gets beside those. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * For a program that does not look at its stdin: a guardian leads the group, ends the program when this process is gone, and ends as
   * the program does. A log gets the program's stdout too.
   */
  readonly guarded?: { readonly graceMs: number };
}

export interface ProcessGroupOptions extends BareGroupOptions {
  /** Its stderr is appended here. */
  readonly logFile: string;
}

/**
 * Starts `command` as the leader of a group of its own, with a log.
 *
 * @throws as `startBareGroup` does
 */
export async function startProcessGroup(
  command: string,
  args: readonly string[],
  { logFile, ...options }: ProcessGroupOptions,
): Promise<ProcessGroup> {
  const group = await startBareGroup(command, args, options);
  const log = openProgramLog(logFile);
  readLines(group.stderr, log.add);
  if (options.guarded !== undefined) readLines(group.stdout, log.add);
  void group.exited.then(() => log.close());
  return { ...group, log };
}

/**
 * Starts `command` as the leader of a group of its own. Its stdin stays open as long as this process lives: a program that
 * exits at the end of its stdin cannot outlive this process, not even when this one is killed by SIGKILL.
 *
 * @throws ProcessNotStarted
 */
export async function startBareGroup(
  command: string,
  args: readonly string[],
  options: BareGroupOptions,
): Promise<BareGroup> {
  const { guarded } = options;
  const started = guarded === undefined ? [command, ...args] : [process.execPath, guardian, command, ...args];
  const [program = command, ...programArgs] = started;
  const child = spawn(program, programArgs, {
    detached: true,
    stdio: 'pipe',
    cwd: options.cwd,
    env: {
      ...childEnvironment(options.env),
      ...options.settings,
      ...(guarded === undefined ? {} : { EXIT_WITH_PARENT_GRACE_MS: String(guarded.graceMs) }),
    },
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new ProcessNotStarted(command, error.message)));
  });
  const { stdin, stdout, stderr } = child;
  // Writing to a program that has just exited is not a separate error: `exited` reports it.
  stdin.on('error', () => undefined);
  // 'spawn' has come, so there is a process id.
  const pid = child.pid as number;

  const ended = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const outputRead = Promise.all(
    [stdout, stderr].map((stream) => new Promise<void>((resolve) => stream.once('close', resolve))),
  );
  let running = true;
  const exited = ended.then(async (status) => {
    await killGroup(pid);
    // Output without a listener must not keep the stream from closing, nor a program outside the group that has inherited it.
    for (const stream of [stdout, stderr]) stream.resume();
    await Promise.race([outputRead, sleep(lastOutputMs, undefined, { ref: false })]);
    for (const stream of [stdout, stderr]) stream.destroy();
    running = false;
    return status;
  });

  return {
    pid,
    stdin,
    stdout,
    stderr,
    exited,
    async stop(graceMs) {
      // Afterwards its id may belong to another group.
      if (running) signalGroup(pid, 'SIGTERM');
      const kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
      const status = await exited;
      clearTimeout(kill);
      return status;
    },
  };
}

/** How long the rest of a program's output is read after its end. */
const lastOutputMs = 2_000;

const guardian = fileURLToPath(new URL('./exit-with-parent.mjs', import.meta.url));

/** The program could not be started at all. */
export class ProcessNotStarted extends ColloquyError {
  override name = 'ProcessNotStarted' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  readonly command: string;

  constructor(command: string, fault: string) {
    super(`${command} could not be started: ${fault}. Run: ${setUpCommand}`);
    this.command = command;
  }
}

/** Kills what the leader left behind, and waits until it is gone: at most 2 s, as a zombie that is not reaped stays for ever. */
async function killGroup(pid: number): Promise<void> {
  for (let tries = 0; tries < 100 && signalGroup(pid, 'SIGKILL'); tries += 1) await sleep(20);
}

/** False when no process is left to signal. */
function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/**
 * A port of the loopback interface: `preferred` when nothing listens there, else one that the system has free. What it returns may be taken by another
 * process before the caller listens on it: callers must be ready to ask again.
 */
export async function freePort(preferred = 0): Promise<number> {
  return (await listenOnce(preferred)) ?? (await listenOnce(0)) ?? preferred;
}

/** Listens and closes again at once: the port that it got, or undefined when `port` is not to be had. */
async function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      // A TCP server's address is always an AddressInfo (it is a string for pipes only).
      const address = server.address() as AddressInfo;
      server.close(() => resolve(address.port));
    });
  });
}
