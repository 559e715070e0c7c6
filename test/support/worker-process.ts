import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../src/config/installation.ts';
import { bundleAddress } from './shared-bundle.ts';
import type { TestDependencies } from './test-dependencies.ts';
import { workerScript } from './worker-code.ts';

export type WorkerProcess = {
  readonly pid: number;
  /** Resolves when it is gone. */
  readonly ended: Promise<unknown>;
  /** Whether nothing holds its GPU gate, now or within 10 s. */
  readonly gateIsFree: () => Promise<boolean>;
  /** Sends the signal to the worker alone, and resolves when it is gone. */
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT') => Promise<void>;
};

/** Starts worker-main.ts of the code below `root`; resolves when it serves its queues. */
export async function startWorkerProcess(
  environment: Record<string, string>,
  dependencies: TestDependencies,
  root: string = projectRoot,
): Promise<WorkerProcess> {
  const preloaded = ['./jumping-clock.mjs', './killed-after-rename.mjs'].map(
    (name) => new URL(name, import.meta.url).href,
  );
  const imports = preloaded.flatMap((each) => ['--import', each]);
  const args = [...imports, await workerScript(root), JSON.stringify(dependencies)];
  const child = spawn(process.execPath, args, {
    // The shared bundle is of the project's own code.
    env: { ...process.env, ...environment, ...(root === projectRoot ? {} : { [bundleAddress]: '' }) },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  await Promise.race([
    once(lines, 'line'),
    exited.then(([code]) =>
      Promise.reject(new Error(`The worker ended with ${String(code)} before it was ready.`)),
    ),
  ]);
  return {
    pid: child.pid!,
    ended: exited,
    gateIsFree: async () => {
      const answer = once(lines, 'line');
      child.stdin.write('\n');
      const [state] = (await answer) as [string];
      return state === 'free';
    },
    kill: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}
