import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type InstantEngine = AsyncDisposable & {
  readonly url: string;
  /** From now on every question is refused with this status; 200 answers again. */
  readonly answerWith: (status: number) => Promise<void>;
};

/** Starts instant-engine.mjs, a real HTTP server in a process of its own. */
export async function startInstantEngine(args: readonly string[] = []): Promise<InstantEngine> {
  const script = fileURLToPath(new URL('./instant-engine.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { port } = JSON.parse(line) as { port: number };
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    answerWith: async (status) => {
      await fetch(`${url}/status`, { method: 'POST', body: JSON.stringify({ status }) });
    },
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
