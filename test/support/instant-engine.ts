import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type InstantEngine = AsyncDisposable & {
  readonly url: string;
  /** From now on every question is refused with this status; 200 answers again. */
  readonly answerWith: (status: number) => Promise<void>;
  /** From now on the base model's first answers are right that often, 0.55 unless told. */
  readonly answerRightly: (share: number) => Promise<void>;
};

/** Starts instant-engine.mjs, a real HTTP server in a process of its own. */
export async function startInstantEngine(args: readonly string[] = []): Promise<InstantEngine> {
  const script = fileURLToPath(new URL('./instant-engine.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { port } = JSON.parse(line) as { port: number };
  const url = `http://127.0.0.1:${port}`;
  const tell = async (change: object) => {
    await fetch(`${url}/status`, { method: 'POST', body: JSON.stringify(change) });
  };
  return {
    url,
    answerWith: (status) => tell({ status }),
    answerRightly: (right) => tell({ right }),
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}
