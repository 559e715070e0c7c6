import { z } from 'zod';
import { ColloquyError, exitCodes } from '../errors.ts';

/** What does a worker log, and where do its metrics and traces go? The environment sets all of it. */
export type TelemetrySettings = {
  readonly logLevel: LogLevel;
  /** `HOST:PORT` where Prometheus finds the metrics; undefined: no metrics. */
  readonly metricsAddress: string | undefined;
  /** Whether spans are sent to the collector that the standard OTEL_* variables name. */
  readonly traces: boolean;
  readonly searchAttributes: boolean;
};
export type LogLevel = (typeof logLevels)[number];
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;

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
