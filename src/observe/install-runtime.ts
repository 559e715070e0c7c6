import { types } from 'node:util';
import { DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { type Logger, stdSerializers } from 'pino';
import { type Console, logReports, openWorkerLog } from './log.ts';
import { measureReports } from './metrics.ts';
import { type TelemetrySettings, telemetrySettings } from './settings.ts';
import type { Traces } from './traces.ts';

const { errWithCause } = stdSerializers;

let installed: Promise<Telemetry> | undefined;

export type Telemetry = {
  readonly settings: TelemetrySettings;
  readonly log: Logger;
  /** Undefined when the environment names no collector. */
  readonly traces: Traces | undefined;
};

/**
 * Sets up what a worker shows of itself: its log, and metrics and traces where the environment asks for them. Once a process, before its first
 * worker; later calls change nothing. Signals are left to the program that started the worker.
 *
 * @param logFile gets a JSON object a line
 * @throws InvalidEnvironment, StoreNotWritable, DiskFull
 */
export function installRuntime(logFile: string, console?: Console): Promise<Telemetry> {
  return (installed ??= install(logFile, console));
}

async function install(logFile: string, console?: Console): Promise<Telemetry> {
  const settings = telemetrySettings();
  const log = await openWorkerLog(logFile, settings.logLevel, console);
  Runtime.install({
    shutdownSignals: [],
    telemetryOptions: {
      // Without `forward`, Temporal's core would write to the terminal.
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...(settings.metricsAddress === undefined
        ? {}
        : {
            metrics: {
              prometheus: {
                bindAddress: settings.metricsAddress,
                useSecondsForDurations: true,
                unitSuffix: true,
              },
            },
          }),
    },
    logger: new DefaultLogger('TRACE', (entry) => write(log, entry)),
  });
  logReports(log);
  if (settings.metricsAddress !== undefined) measureReports(Runtime.instance().metricMeter);
  const traces = settings.traces ? (await import('./traces.ts')).openTraces() : undefined;
  return { settings, log, traces };
}

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

function write(log: Logger, { level, message, meta = {} }: LogEntry): void {
  // step-interceptor.ts says the same in fewer words, without a stack for each attempt.
  const logged = meta['sdkComponent'] === 'worker' && message.startsWith('Activity ');
  log[logged ? 'debug' : levels[level]](fields(meta), message);
}

/** The experiment's words for Temporal's; tokens and what never differs are left out. */
function fields(meta: Readonly<Record<PropertyKey, unknown>>): object {
  const {
    workflowId: experiment,
    workflowRunId,
    runId: run = workflowRunId,
    activityId: step,
    sdkComponent: from,
    taskToken: _taskToken,
    isLocal: _isLocal,
    activityType: _activityType,
    workflowType: _workflowType,
    namespace: _namespace,
    ...others
  } = meta;
  return { experiment, step, ...withWholeErrors(others), run, from };
}

/** Errors have no properties of their own that JSON would show: type, message, stack and causes are put in their place. */
export function withWholeErrors(fields: Readonly<Record<PropertyKey, unknown>>): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      types.isNativeError(value) ? errWithCause(value) : value,
    ]),
  );
}
