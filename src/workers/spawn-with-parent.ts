/** How does this process start a program that always ends with it, even after `kill -9`? */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

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
