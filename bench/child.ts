/** A TypeScript program in a process of its own that does what it is asked, one thing at a time. Both ends of the talk. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { projectRoot } from '../src/config/installation.ts';

export type Child = AsyncDisposable & {
  /** Resolves with what the program answers; throws what went wrong there. */
  readonly ask: (what: string, argument?: unknown) => Promise<unknown>;
};

/**
 * Starts `script` (see `serve`); resolves when it is ready. It ends with this process, however this process ends.
 *
 * @param cwd a checkout of Colloquy, whose packages are used; this one by default
 */
export async function startChild(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  cwd: string = projectRoot,
  nodeFlags: readonly string[] = [],
): Promise<Child> {
  const child = spawn(process.execPath, [...nodeFlags, '--import', 'tsx', script, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const died = exited.then(([code]) => {
    throw new Error(`${script} ended with ${String(code)}.`);
  });
  died.catch(() => undefined);
  // Of `process.send` below, so always a Reply.
  const reply = async () => ((await Promise.race([once(child, 'message'), died])) as [Reply])[0];
  await reply();
  return {
    async ask(what, argument) {
      child.send({ what, argument });
      const { answer, error } = await reply();
      if (error !== undefined) throw new Error(`${script}: ${error}`);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

/** In the program: says that it is ready and answers what it is asked until the other end goes; then `end`, and it exits. */
export function serve(
  answers: Readonly<Record<string, (argument: unknown) => unknown>>,
  end: () => Promise<void> = async () => undefined,
): void {
  const reply = async ({ what, argument }: Request): Promise<Reply> => {
    try {
      return { answer: await answers[what]?.(argument) };
    } catch (error) {
      return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  };
  // Of `child.send` above, so always a Request.
  process.on('message', (request) => void reply(request as Request).then((answer) => process.send?.(answer)));
  process.once('disconnect', () => {
    // The process that asked may have been killed, and Temporal with it: then an orderly end would wait in vain.
    setTimeout(() => process.exit(1), 10_000);
    void end().finally(() => process.exit(0));
  });
  // Ctrl-C reaches the whole group; the other end goes first, and this one then.
  process.on('SIGINT', () => undefined);
  process.send?.({});
}

type Request = { readonly what: string; readonly argument?: unknown };
type Reply = { readonly answer?: unknown; readonly error?: string };
