import { InvalidArgumentError } from '@commander-js/extra-typings';
import { type DeploymentVersion, deploymentVersion } from '../../workers/start.ts';
import { type TaskQueue, taskQueues } from '../../workflows/server-names.ts';
import { command } from '../command.ts';
import { connect } from '../server/connect.ts';
import { interruptSignal, workerPatienceMs } from '../terminal.ts';

const allQueues = Object.values(taskQueues);

/** `colloquy worker [--queues a,b]` */
export const worker = command(
  'worker',
  'do the work: serve the task queues until Ctrl-C, which saves what is in flight',
  [
    'colloquy worker',
    `colloquy worker --queues ${taskQueues.debate},${taskQueues.gpu}      # e.g. on a machine with a GPU`,
    'TEMPORAL_ADDRESS=temporal.example:7233 colloquy worker',
  ],
)
  .option('--queues <a,b>', `some of ${allQueues.join(', ')} (default: all)`, queueList)
  .option('--quiet', 'log only to runs/logs/worker.log')
  .action(async ({ queues = allQueues, quiet }) => {
    const version = deploymentVersion();
    // Imported only here: it loads Temporal's native core and the bundler, which would slow down every other command.
    const { startWorkers } = await import('../../workers/start.ts');
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
