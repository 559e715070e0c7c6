import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';

export type KeyedWorker = {
  readonly pid: number;
  /** All that it wrote to stdout and stderr. */
  readonly output: () => string;
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
};

/** Starts worker-main.ts of this folder, with `key` in its environment; resolves when it serves its queues. */
export async function startKeyedWorker(
  namespace: string,
  key: string,
  args: readonly [storeRoot: string, engineUrl: string],
): Promise<KeyedWorker> {
  const script = fileURLToPath(new URL('./worker-main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    env: { ...process.env, TEMPORAL_NAMESPACE: namespace, COLLOQUY_CANARY_KEY: key },
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
