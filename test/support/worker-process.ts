import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../src/config/project-root.ts';
import type { TestDependencies } from './test-dependencies.ts';

export type WorkerProcess = {
  readonly pid: number;
  /** Resolves when it is gone. */
  readonly ended: Promise<unknown>;
  /** Sends the signal to the worker alone, and resolves when it is gone. */
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT') => Promise<void>;
};

/** Starts worker-main.ts of the code below `root`; resolves when it serves its queues. */
export async function startWorkerProcess(
  environment: Record<string, string>,
  dependencies: TestDependencies,
  root: string = projectRoot,
): Promise<WorkerProcess> {
  const script = join(root, 'test', 'support', 'worker-main.ts');
  const preloaded = ['./jumping-clock.mjs', './killed-after-rename.mjs'].map(
    (name) => new URL(name, import.meta.url).href,
  );
  const imports = ['tsx', ...preloaded].flatMap((each) => ['--import', each]);
  const args = [...imports, script, JSON.stringify(dependencies)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    exited.then(([code]) =>
      Promise.reject(new Error(`The worker ended with ${String(code)} before it was ready.`)),
    ),
  ]);
  return {
    pid: child.pid!,
    ended: exited,
    kill: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}
