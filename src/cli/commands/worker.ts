import { type DeploymentVersion, deploymentVersion } from '../../workers/start.ts';
import { type TaskQueue, taskQueues } from '../../workflows/server-names.ts';
import { command } from '../command.ts';
import { connect } from '../connect.ts';
import { exitCodes } from '../exit-codes.ts';
import { interruptSignal } from '../interrupt-signal.ts';
import { UsageError } from '../usage-error.ts';

const all = Object.values(taskQueues);

/** `colloquy worker [--queues a,b]` */
export const worker = command({
  name: 'worker',
  description: 'do the work: serve the task queues until Ctrl-C, which saves what is in flight',
  examples: [
    'colloquy worker',
    `colloquy worker --queues ${taskQueues.debate},${taskQueues.gpu}      # e.g. on a machine with a GPU`,
    'TEMPORAL_ADDRESS=temporal.example:7233 colloquy worker',
  ],
  args: {
    queues: { type: 'string', description: `some of ${all.join(', ')} (default: all)`, valueHint: 'a,b' },
    quiet: { type: 'boolean', description: 'log to runs/logs/worker.log alone', default: false },
  },
  run: async ({ queues, quiet }) => {
    const served = queues === undefined ? all : queues.split(',').map(queueNamed);
    const version = deploymentVersion();
    // Imported when needed: it brings Temporal's native core and the bundler, which no other command should wait for.
    const { startWorkers } = await import('../../workers/start.ts');
    // Connecting first gives the error that says what to do.
    const temporal = await connect();
    await temporal.close();
    const { signal, dispose } = interruptSignal();
    signal.addEventListener('abort', () => console.error('Stopping: what is in flight is being saved ...'));
    await startWorkers({
      queues: served,
      signal,
      ...(quiet ? {} : { console: process.stderr }),
      onReady: () => {
        console.error(`Working for ${temporal.address}: ${served.join(', ')}. Ctrl-C stops.`);
        if (version) console.error(versionText(version));
      },
    });
    dispose();
    return exitCodes.ok;
  },
});

function versionText({ deploymentName, buildId }: DeploymentVersion): string {
  return (
    `Build ${buildId} of deployment ${deploymentName}: it gets no work until it is the current one, which it becomes by\n` +
    `temporal worker deployment set-current-version --deployment-name ${deploymentName} --build-id ${buildId}`
  );
}

/** `debate` means `colloquy-debate`. */
function queueNamed(given: string): TaskQueue {
  const name = given.trim();
  const found = Object.entries(taskQueues).find(([short, queue]) => name === short || name === queue)?.[1];
  if (found === undefined)
    throw new UsageError(`There is no queue "${name}": there are ${all.join(', ')}.`, 'worker');
  return found;
}
