import { dirname } from 'node:path';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import pino from 'pino';
import { makeFolder } from '../store/make-folder.ts';
import { writeError } from '../store/write-error.ts';

let installed = false;

/**
 * Sends what Temporal's worker has to say to a file, a JSON object a line: on the terminal it would bury the progress. Signals are
 * left to whoever started the worker. Once a process, before its first worker.
 *
 * @throws StoreNotWritable, DiskFull
 */
export async function logToFile(path: string): Promise<void> {
  if (installed) return;
  installed = true;
  await makeFolder(dirname(path)).catch((error: unknown) => {
    throw writeError(path, error);
  });
  const file = pino.destination({ dest: path, sync: true, append: true });
  // A full disk must park a step, not end the worker because a line of its log is lost.
  file.on('error', () => undefined);
  const log = pino(file);
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  Runtime.install({
    shutdownSignals: [],
    // Without `forward`, Temporal's core would write to the terminal.
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN' }), forward: {} } },
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => log[levels[level]](meta ?? {}, message)),
  });
}
