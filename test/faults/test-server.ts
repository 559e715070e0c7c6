import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type DevServer, startDevServer } from '../../src/workers/dev-server.ts';
import { restartAtOnce } from '../support/restart-at-once.ts';
import { scratchFolder } from '../support/scratch-folder.ts';

/** A real Temporal server with its database in a file, so that it can be killed and started again. */
export type TestServer = AsyncDisposable & {
  readonly address: string;
  /** kill -9 of the server itself. */
  readonly kill: () => Promise<void>;
  /** At the same address, with the same database. */
  readonly start: () => Promise<void>;
};

export async function startTestServer(): Promise<TestServer> {
  const folder = scratchFolder();
  const dbFilename = join(folder, 'temporal.db');
  const launch = (port: number): Promise<DevServer> =>
    startDevServer({
      dbFilename,
      port,
      headless: true,
      extraArgs: restartAtOnce,
    });
  let server = await launch(0);
  const { address } = server;
  return {
    address,
    kill: async () => {
      process.kill(await pidOf(dbFilename), 'SIGKILL');
      await server.exited;
    },
    start: async () => {
      server = await launch(Number(address.split(':')[1]));
      if (server.address !== address)
        throw new Error(`The server came back at ${server.address}, not ${address}.`);
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The server's own process: not the guardian, whose command line begins with Node. */
async function pidOf(dbFilename: string): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = (await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')).split('\0');
    if (command[1] !== 'server' || !command.includes(`--db-filename=${basename(dbFilename)}`)) continue;
    // The database is named relative to the server's working folder.
    if ((await readlink(join('/proc', pid, 'cwd')).catch(() => '')) === dirname(dbFilename))
      return Number(pid);
  }
  throw new Error(`No Temporal server has ${dbFilename} open.`);
}
