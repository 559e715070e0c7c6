import { command } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { devDatabase, useLocalServer } from '../temporal-address.ts';
import { UsageError } from '../usage-error.ts';

/** `colloquy dev` */
export const dev = command({
  name: 'dev',
  description: 'all that is needed on one machine: a Temporal dev server with its web UI, and a worker',
  examples: [
    'colloquy dev',
    'colloquy dev --port 7300 --ui-port 8300',
    `temporal workflow start --type experiment --task-queue colloquy --workflow-id demo --input '{}'`,
  ],
  args: {
    port: { type: 'string', description: "the server's port (another, if it is taken)", default: '7233' },
    'ui-port': {
      type: 'string',
      description: "the web UI's port (another, if it is taken)",
      default: '8233',
    },
  },
  run: async (args): Promise<ExitCode> => {
    const [port, uiPort] = [portNumber(args.port, 'port'), portNumber(args['ui-port'], 'ui-port')];
    // Imported when needed: they bring Temporal's native core and the bundler.
    const { startDevServer } = await import('../../workers/dev-server.ts');
    const { startWorkers } = await import('../../workers/start.ts');
    const { signal, dispose } = interruptSignal();
    const server = await startDevServer({ dbFilename: devDatabase(), port, uiPort });
    try {
      useLocalServer(server.address);
      // This server has them registered.
      process.env['COLLOQUY_SEARCH_ATTRIBUTES'] ??= '1';
      if (server.portChanged)
        console.error(`A wanted port is taken (${port} or ${uiPort}): others are used.`);
      console.error(`Temporal:  ${server.address}\nWeb UI:    ${server.uiUrl ?? 'none'}`);
      if (server.address !== '127.0.0.1:7233') {
        console.error(
          `For the temporal CLI:  export TEMPORAL_ADDRESS=${server.address}   (colloquy finds it by itself)`,
        );
      }
      const died = new AbortController();
      void server.exited.then(() => died.abort());
      signal.addEventListener('abort', () => console.error('Stopping: what is in flight is being saved ...'));
      await startWorkers({
        signal: AbortSignal.any([signal, died.signal]),
        console: process.stderr,
        onReady: () => console.error('Working. Ctrl-C stops both; what is in flight is saved.'),
      });
      if (signal.aborted) return exitCodes.ok;
      console.error(`The Temporal dev server has gone. Its log: ${server.logFile}`);
      return exitCodes.failed;
    } finally {
      await server.stop();
      dispose();
    }
  },
});

function portNumber(given: string, option: string): number {
  const port = Number(given);
  if (/^\d+$/.test(given) && port <= 65_535) return port;
  throw new UsageError(`--${option} takes a port (0 to 65535, 0 for any), not "${given}".`, 'dev');
}
