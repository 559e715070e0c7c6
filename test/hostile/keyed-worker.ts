import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestDependencies } from '../support/test-dependencies.ts';
import { until } from '../support/until.ts';
import { workerScript } from '../support/worker-code.ts';

const keyVariable = 'COLLOQUY_CANARY_KEY';

export type KeyedWorker = {
  readonly pid: number;
  /** All that it wrote to stdout and stderr. */
  readonly output: () => string;
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
};

/** Starts a worker with `key` in its environment, which the engine wants; resolves when it serves its queues. */
export async function startKeyedWorker(
  namespace: string,
  key: string,
  [storeRoot, engineUrl]: readonly [storeRoot: string, engineUrl: string],
): Promise<KeyedWorker> {
  const trainerArgs = ['--step-ms', '100'];
  const dependencies: TestDependencies = {
    storeRoot,
    engineUrl,
    trainerArgs,
    apiKeyEnv: keyVariable,
  };
  const child = spawn(process.execPath, [await workerScript(), JSON.stringify(dependencies)], {
    env: { ...process.env, TEMPORAL_NAMESPACE: namespace, [keyVariable]: key },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  await until('the worker is ready', () => {
    if (child.exitCode !== null) throw new Error(`The worker ended: ${output}`);
    return output.includes('ready\n');
  });
  return {
    pid: child.pid!,
    output: () => output,
    kill: async (signal) => {
      child.kill(signal);
      await exited;
    },
  };
}
