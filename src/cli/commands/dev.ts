import { portNumber } from '../arguments.ts';
import { command, setExitCode } from '../command.ts';
import { exitCodes } from '../../errors.ts';
import { devDatabase, useLocalServer } from '../server/connect.ts';
import { interruptSignal, workerPatienceMs } from '../terminal.ts';

/** `colloquy dev` */
export const dev = command(
  'dev',
  'run everything on one machine: a Temporal dev server with its web UI, and a worker',
  [
    'colloquy dev',
    'colloquy dev --port 7300 --ui-port 8300',
    `temporal workflow start --type experiment --task-queue colloquy --workflow-id demo --input '{}'`,
  ],
)
  .option('--port <port>', "the server's port; another one is used if it is taken", portNumber, 7233)
  .option('--ui-port <port>', "the web UI's port; another one is used if it is taken", portNumber, 8233)
  .action(async ({ port, uiPort }) => {
    // Imported only here: they load Temporal's native core and the bundler.
    const { startDevServer } = await import('../../workers/dev-server.ts');
    const { startWorkers } = await import('../../workers/start.ts');
    const { signal, dispose } = interruptSignal(workerPatienceMs);
    const server = await startDevServer({ dbFilename: devDatabase(), port, uiPort });
    try {
      useLocalServer(server.address);
      // The dev server has them registered.
      process.env['COLLOQUY_SEARCH_ATTRIBUTES'] ??= '1';
      if (server.portChanged) console.error(`Port ${port} or ${uiPort} is taken: another one is used.`);
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
      if (signal.aborted) return;
      console.error(`The Temporal dev server has ended. Its log: ${server.logFile}`);
      setExitCode(exitCodes.failed);
    } finally {
      await server.stop();
      dispose();
    }
  });
