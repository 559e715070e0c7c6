import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startDevServer } from '../src/workers/dev-server.ts';

export type Temporal = AsyncDisposable & {
  readonly address: string;
  /** Of the namespace `default`. */
  readonly client: Client;
  readonly clientOf: (namespace: string) => Client;
};

/** A Temporal dev server of the benchmark's own: on a free port, in memory, its log in `folder`. */
export async function startTemporal(
  folder: string,
  namespaces: readonly string[] = [],
  moreArgs: readonly string[] = [],
): Promise<Temporal> {
  mkdirSync(folder, { recursive: true });
  const server = await startDevServer({
    port: 0,
    headless: true,
    logFile: join(folder, 'temporal.log'),
    extraArgs: [...namespaces.flatMap((namespace) => ['--namespace', namespace]), ...moreArgs],
  });
  const connection = await Connection.connect({ address: server.address });
  return {
    address: server.address,
    client: new Client({ connection }),
    clientOf: (namespace) => new Client({ connection, namespace }),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await server.stop();
    },
  };
}
