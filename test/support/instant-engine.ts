import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The fields of POST /control of instant-engine.mjs; its head explains each. */
export type EngineControl = {
  readonly status?: number;
  readonly hold?: { readonly after?: number; readonly round?: number; readonly fineTuned?: boolean };
  readonly release?: true;
  readonly fault?: EngineFault;
  readonly times?: number;
  readonly right?: number;
  readonly bad?: { readonly from: number; readonly to: number };
  readonly revision?: number;
  readonly delay?: number;
  readonly forget?: true;
};
export type EngineFault =
  | 'busy'
  | 'overloaded'
  | 'failed'
  | 'reset'
  | 'no JSON'
  | 'another model'
  | 'no choices'
  | 'invalid UTF-8'
  | 'slow';

export type InstantEngine = AsyncDisposable & {
  readonly url: string;
  /** From now on every question is refused with this status; 200 answers again. */
  readonly answerWith: (status: number) => Promise<void>;
  /** From now on the base model's first answers are right with this probability; default: 0.55. */
  readonly answerRightly: (share: number) => Promise<void>;
  readonly tell: (control: EngineControl) => Promise<void>;
  readonly state: () => Promise<{ answered: number; held: number; spoilt: number }>;
  /** kill -9 */
  readonly kill: () => Promise<void>;
  /** Starts it again at the same address, with no adapter and nothing held. */
  readonly start: () => Promise<void>;
};

/** Starts instant-engine.mjs, a real HTTP server in a process of its own. */
export async function startInstantEngine(args: readonly string[] = []): Promise<InstantEngine> {
  let { child, port } = await launch(args);
  const url = `http://127.0.0.1:${port}`;
  const tell = async (control: EngineControl): Promise<void> => {
    await fetch(`${url}/control`, { method: 'POST', body: JSON.stringify(control) });
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    url,
    tell,
    answerWith: (status) => tell({ status }),
    answerRightly: (right) => tell({ right }),
    state: async () =>
      (await (await fetch(`${url}/control`)).json()) as { answered: number; held: number; spoilt: number },
    kill,
    start: async () => {
      ({ child, port } = await launch([...args, '--port', String(port)]));
    },
    [Symbol.asyncDispose]: kill,
  };
}

async function launch(args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const script = fileURLToPath(new URL('./instant-engine.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, port: (JSON.parse(line) as { port: number }).port };
}
