/** Starts the Temporal dev server with its database on a disk that is full, and prints how that ends. */
import { startDevServer } from '../../../src/workers/dev-server.ts';

const [dbFilename = ''] = process.argv.slice(2);
const ending = await startDevServer({ dbFilename, port: 0, headless: true }).then(
  async (server) => (await server.stop(), 'started'),
  (error: unknown) => String(error),
);
process.stdout.write(ending);
