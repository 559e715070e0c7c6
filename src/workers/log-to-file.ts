import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import pino from 'pino';

let installed = false;

/**
 * Sends what Temporal's worker has to say to a file, a JSON object a line: on the terminal it would bury the progress. Signals are
 * left to whoever started the worker. Once a process, before its first worker.
 */
export function logToFile(path: string): void {
  if (installed) return;
  installed = true;
  mkdirSync(dirname(path), { recursive: true });
  const log = pino(pino.destination({ dest: path, sync: true, append: true }));
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;
  Runtime.install({
    shutdownSignals: [],
    // Without `forward`, Temporal's core would write to the terminal.
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN' }), forward: {} } },
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => log[levels[level]](meta ?? {}, message)),
  });
}
