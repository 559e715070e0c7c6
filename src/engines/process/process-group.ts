/** Child processes in groups of their own, so that stopping one stops whatever it started too. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnvironment } from '../../config/child-environment.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { boundLog } from './log-file.ts';

export interface ProcessGroup {
  /** Of the leader, and so of the group. */
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Settles when the leader has ended, its output is read, and nothing is left of the group. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** SIGTERM to the group, SIGKILL after `graceMs`; resolves with `exited`. May be called again. */
  stop(graceMs: number): Promise<ExitStatus>;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProcessGroupOptions {
  /** Its stderr is appended here. */
  readonly logFile: string;
  readonly cwd?: string | undefined;
  /** This process's by default. Of either, the program gets what `childEnvironment` lets through. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * Starts `command` as the leader of a group of its own. Its stdin stays open as long as this process lives: a program that
 * exits at the end of its stdin cannot outlive this process, not even when this one is killed by SIGKILL.
 *
 * @throws ProcessNotStarted
 */
export async function startProcessGroup(
  command: string,
  args: readonly string[],
  options: ProcessGroupOptions,
): Promise<ProcessGroup> {
  const log = openSync(options.logFile, 'a');
  const child = spawn(command, args, {
    detached: true,
    stdio: ['pipe', 'pipe', log],
    cwd: options.cwd,
    env: childEnvironment(options.env),
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new ProcessNotStarted(command, error.message)));
  });
  // This cannot happen, as both were asked for as pipes.
  if (child.stdin === null || child.stdout === null) throw new ProcessNotStarted(command, 'it has no pipes');
  const { stdin, stdout } = child;
  // Writing to a program that has just exited is not a separate error: `exited` reports it.
  stdin.on('error', () => undefined);
  // 'spawn' has come, so there is a process id.
  const pid = child.pid as number;

  const ended = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const outputRead = new Promise<void>((resolve) => stdout.once('close', resolve));
  let running = true;
  const bounding = setInterval(() => boundLog(options.logFile), 1_000).unref();
  const exited = ended.then(async (status) => {
    await killGroup(pid);
    // Output without a listener must not keep the stream from closing, nor a program outside the group that has inherited it.
    stdout.resume();
    await Promise.race([outputRead, sleep(lastOutputMs, undefined, { ref: false })]);
    stdout.destroy();
    running = false;
    clearInterval(bounding);
    return status;
  });

  return {
    pid,
    stdin,
    stdout,
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

/** The program could not be started at all. */
export class ProcessNotStarted extends ColloquyError {
  override name = 'ProcessNotStarted' as const;
  readonly retryable = true;
  readonly exitCode = exitCodes.failed;
  override readonly workerLacksIt = true;
  readonly command: string;

  constructor(command: string, fault: string) {
    super(`${command} could not be started: ${fault}. Run: node scripts/setup.mjs`);
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
