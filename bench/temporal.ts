import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { startDevServer } from '../src/workers/dev-server.ts';

export type Temporal = AsyncDisposable & { readonly address: string; readonly client: Client };

/** A Temporal dev server of the benchmark's own: on a free port, in memory, its log in `folder`. */
export async function startTemporal(folder: string): Promise<Temporal> {
  mkdirSync(folder, { recursive: true });
  const server = await startDevServer({ port: 0, headless: true, logFile: join(folder, 'temporal.log') });
  const connection = await Connection.connect({ address: server.address });
  return {
    address: server.address,
    client: new Client({ connection }),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await server.stop();
    },
  };
}
