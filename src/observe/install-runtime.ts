import { types } from 'node:util';
import type { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { type ActivityInterceptors, DefaultLogger, type LogEntry, Runtime } from '@temporalio/worker';
import { type Logger, stdSerializers } from 'pino';
import { z } from 'zod';
import { terminalSafe } from '../text/safe-text.ts';
import { emit, type StepContext, stepOf, withinStep } from './events.ts';
import {
  type Console,
  type LogLevel,
  logLevels,
  logReports,
  measureReports,
  openTraces,
  openWorkerLog,
  type Traces,
} from './log-metrics-traces.ts';
import { ColloquyError, exitCodes } from '../errors.ts';

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
  const traces = settings.traces ? await openTraces() : undefined;
  return { settings, log, traces };
}

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

function write(log: Logger, { level, message, meta = {} }: LogEntry): void {
  const ofWorker = meta['sdkComponent'] === 'worker';
  // `stepInterceptor` logs the same in fewer words, without a stack for each attempt.
  const logged = ofWorker && message.startsWith('Activity ');
  // The queues for debates and for the GPU are meant to have activities only.
  const meant = ofWorker && message.startsWith('No workflows registered');
  log[logged || meant ? 'debug' : levels[level]](fields(meta), message);
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

/** Logs what becomes of each step, and lets all that is logged, counted or traced within it say which step that was. */
export function stepInterceptor(context: Context): ActivityInterceptors {
  let step: StepContext | undefined;
  return {
    inbound: {
      async execute(input, next) {
        const [request] = input.args;
        const current = stepOf(context, request);
        step = current;
        const began = Date.now();
        if (current.attempt > 1) {
          emit('step retried', current);
          context.log.warn('step tried again');
        } else context.log.info('step began');
        try {
          const result: unknown = await withinStep(current, () => next(input));
          context.log.info('step finished', { seconds: secondsSince(began) });
          emit('step finished', { ...current, kind: context.info.activityType });
          return result;
        } catch (error) {
          if (error instanceof CancelledFailure)
            context.log.info('step stopped', { seconds: secondsSince(began), why: error.message });
          else context.log.warn('step failed', { seconds: secondsSince(began), ...failureFields(error) });
          throw error;
        }
      },
    },
    outbound: {
      getLogAttributes: (input, next) => next({ ...input, ...step }),
    },
  };
}

function secondsSince(began: number): number {
  return (Date.now() - began) / 1000;
}

/** The beginning of what an error says; all of it is in the step's history. */
function failureFields(error: unknown): {
  readonly cause: string;
  readonly says: string;
  readonly final: boolean;
} {
  const { message } = error instanceof Error ? error : new Error(String(error));
  const failure = error instanceof ApplicationFailure ? error : undefined;
  return {
    cause: failure?.type ?? 'Error',
    says: terminalSafe(message.slice(0, 300)),
    final: failure?.nonRetryable ?? false,
  };
}

/** How much a worker shows of itself, and where. All of it is set by its environment. */
export type TelemetrySettings = {
  readonly logLevel: LogLevel;
  /** `HOST:PORT` where Prometheus finds the metrics; undefined when there are none. */
  readonly metricsAddress: string | undefined;
  /** Whether spans are sent to the collector that the standard OTEL_* variables name. */
  readonly traces: boolean;
  readonly searchAttributes: boolean;
};
/** A variable of the environment that means nothing. */
export class InvalidEnvironment extends ColloquyError {
  override name = 'InvalidEnvironment' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.badUsage;

  constructor(variable: string, value: string, expected: string) {
    super(`The environment variable ${variable} is ${JSON.stringify(value)}; expected ${expected}.`);
  }
}

/** @throws InvalidEnvironment */
export function telemetrySettings(environment: NodeJS.ProcessEnv = process.env): TelemetrySettings {
  const read = <Value>(variable: string, schema: z.ZodType<Value>, expected: string): Value | undefined => {
    const value = environment[variable];
    if (value === undefined || value === '') return undefined;
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw new InvalidEnvironment(variable, value, expected);
    return parsed.data;
  };
  const collector =
    environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  return {
    logLevel: read('COLLOQUY_LOG_LEVEL', z.enum(logLevels), `one of ${logLevels.join(', ')}`) ?? 'info',
    metricsAddress: read(
      'COLLOQUY_METRICS_ADDRESS',
      z.string().regex(/^(\[[\da-fA-F:]+\]|[\d.]+):\d{1,5}$/),
      'an address and a port, e.g. 127.0.0.1:9464',
    ),
    traces: collector !== '' && environment['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true',
    searchAttributes: read('COLLOQUY_SEARCH_ATTRIBUTES', z.enum(['0', '1']), '1 (set them) or 0') === '1',
  };
}
