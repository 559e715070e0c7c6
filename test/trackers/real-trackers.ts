/** Real trackers on this machine: servers of Trackio and MLflow, TensorBoard's reader, and the client of Weights & Biases. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../src/config/installation.ts';
import { freePort } from '../../src/engines/process/process-group.ts';
import { until } from '../support/until.ts';

/** The Python of the trackers that the environment names, else of those that setup-trackers.mjs has installed. */
export const python =
  process.env['COLLOQUY_TEST_TRACKERS'] ??
  execFileSync(
    process.execPath,
    [fileURLToPath(new URL('../../scripts/setup-trackers.mjs', import.meta.url))],
    {
      encoding: 'utf8',
    },
  )
    .trim()
    .split('\n')
    .at(-1) ??
  '';

export interface RealServer {
  readonly url: string;
  /** SIGKILL to all of its processes. */
  kill(): Promise<void>;
  /** Starts it again at the same address, with what it has kept. */
  start(): Promise<void>;
}

export async function startTrackio(folder: string, token: string): Promise<RealServer> {
  const port = await freePort();
  const settings = {
    TRACKIO_DIR: join(folder, 'trackio'),
    TRACKIO_WRITE_TOKEN: token,
    GRADIO_SERVER_PORT: String(port),
  };
  return server(`http://127.0.0.1:${port}`, 'trackio', ['show', '--no-footer'], settings, folder);
}

export async function startMlflow(folder: string): Promise<RealServer> {
  const port = await freePort();
  const args = [
    'server',
    '--backend-store-uri',
    // In the folder where it runs, as a path in a URI would end at the folder's first `?`: a database that all runs of these tests share.
    'sqlite:///mlflow.db',
    '--artifacts-destination',
  ];
  args.push(join(folder, 'artifacts'), '--host', '127.0.0.1', '--port', String(port), '--workers', '1');
  return server(`http://127.0.0.1:${port}`, 'mlflow', args, { MLFLOW_DISABLE_TELEMETRY: 'true' }, folder);
}

async function server(
  url: string,
  program: string,
  args: readonly string[],
  settings: NodeJS.ProcessEnv,
  folder: string,
): Promise<RealServer> {
  mkdirSync(folder, { recursive: true });
  let running: ReturnType<typeof spawn> | undefined;
  const start = async (): Promise<void> => {
    running = spawn(join(dirname(python), program), args, {
      cwd: folder,
      stdio: 'ignore',
      // A group of its own, so that all of its processes can be killed at once.
      detached: true,
      env: { ...childEnvironment(), HOME: folder, ...settings },
    });
    const answers = () =>
      fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(`${program} answers`, answers, 600_000);
  };
  const kill = async (): Promise<void> => {
    const child = running;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid, 'SIGKILL');
    await ended;
  };
  await start();
  return { url, kill, start };
}

/** What a program of the trackers' Python prints, as JSON. */
export function pythonSays(program: string, ...args: readonly string[]): unknown {
  const out = execFileSync(python, ['-c', program, ...args], {
    encoding: 'utf8',
    env: childEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(out.trim().split('\n').at(-1) ?? '');
}
