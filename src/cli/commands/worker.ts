import { InvalidArgumentError } from '@commander-js/extra-typings';
import { exitCodes } from '../../errors.ts';
import type { DeploymentVersion } from '../../workers/start.ts';
import { type TaskQueue, taskQueues } from '../../workflows/temporal.ts';
import { portNumber } from '../arguments.ts';
import { command, setExitCode } from '../command.ts';
import { connect, devDatabase, useLocalServer } from '../server/connect.ts';
import { requireTools } from '../server/local-server.ts';
import { interruptSignal, workerPatienceMs } from '../terminal.ts';

const allQueues = Object.values(taskQueues);

/** `colloquy worker [--queues a,b]` */
export const worker = command('worker', [
  'colloquy worker',
  `colloquy worker --queues ${taskQueues.debate},${taskQueues.gpu}      # e.g. on a machine with a GPU`,
  'TEMPORAL_ADDRESS=temporal.example:7233 colloquy worker',
])
  .option('--queues <a,b>', `serve some of ${allQueues.join(', ')} (default: all)`, queueList)
  .option('--quiet', 'log only to runs/logs/worker.log')
  .action(async ({ queues = allQueues, quiet }) => {
    // Imported only here: it loads Temporal's native core and the bundler.
    const { deploymentVersion, startWorkers } = await import('../../workers/start.ts');
    const version = deploymentVersion();
    // Fine-tunes need it. A worker that debates alone may do so with servers elsewhere.
    if (queues.includes(taskQueues.gpu)) await requireTools('python');
    // Connecting first, because its error explains what to do.
    const temporal = await connect();
    await temporal.close();
    const { signal, dispose } = interruptSignal(workerPatienceMs);
    signal.addEventListener('abort', () => console.error('Stopping: what is in flight is being saved ...'));
    await startWorkers({
      queues,
      signal,
      ...(quiet ? {} : { console: process.stderr }),
      onReady: () => {
        console.error(`Working for ${temporal.address}: ${queues.join(', ')}. Ctrl-C stops.`);
        if (version) console.error(versionText(version));
      },
    });
    dispose();
  });

function versionText({ deploymentName, buildId }: DeploymentVersion): string {
  return (
    `Build ${buildId} of deployment ${deploymentName}: it gets work only after you have made it the current one by\n` +
    `temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId}`
  );
}

/** The parser of `--queues`. `debate` means `colloquy-debate`. */
function queueList(given: string): TaskQueue[] {
  return given.split(',').map((each) => {
    const name = each.trim();
    const found = Object.entries(taskQueues).find(([short, queue]) => name === short || name === queue)?.[1];
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`There is no queue "${name}". The queues are ${allQueues.join(', ')}.`);
  });
}

/** `colloquy dev` */
export const dev = command('dev', [
  'colloquy dev',
  'colloquy dev --port 7300 --ui-port 8300',
  `temporal workflow start --type experiment --task-queue colloquy --workflow-id demo --input '{}'`,
])
  .option('--port <port>', 'give the server this port, or another one if it is taken', portNumber, 7233)
  .option('--ui-port <port>', 'give the web UI this port, or another one if it is taken', portNumber, 8233)
  .action(async ({ port, uiPort }) => {
    await requireTools('python', 'temporal');
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
