/** A real S3 server on this machine: versitygw over a folder. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';
import { keys } from './keys.ts';

/** The program that the environment names, else the one that setup-s3.mjs has built. */
const program =
  process.env['COLLOQUY_TEST_VERSITYGW'] ??
  execFileSync(process.execPath, [fileURLToPath(new URL('../../scripts/setup-s3.mjs', import.meta.url))], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .at(-1) ??
  '';

export type RealS3 = AsyncDisposable & {
  readonly url: string;
  /** The folder with its buckets. */
  readonly folder: string;
  /** Makes a bucket. */
  readonly bucket: () => string;
  /** kill -9 */
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
};

/** @param log a file that gets a line for each request; by default none */
export async function startS3(log?: string): Promise<RealS3> {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-s3-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let buckets = 0;
  const start = async (): Promise<void> => {
    const args = [
      '--port',
      `127.0.0.1:${port}`,
      '--keep-alive',
      '--quiet',
      '--health',
      '/health',
      ...(log === undefined ? [] : ['--access-log', log]),
      'posix',
      folder,
    ];
    const env = {
      ...process.env,
      ROOT_ACCESS_KEY: keys.AWS_ACCESS_KEY_ID,
      ROOT_SECRET_KEY: keys.AWS_SECRET_ACCESS_KEY,
    };
    child = spawn(program, args, { stdio: 'ignore', env });
    await until(
      'versitygw answers',
      async () => (await fetch(`${url}/health`).catch(() => null))?.ok === true,
    );
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  await start();
  return {
    url,
    folder,
    bucket: () => {
      buckets += 1;
      const name = `bucket-${buckets}`;
      // To this server, a folder is a bucket.
      mkdirSync(join(folder, name));
      return name;
    },
    kill,
    start,
    [Symbol.asyncDispose]: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
