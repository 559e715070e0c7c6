/** OpenTelemetry: imported only where the environment names a collector, so that other workers do not wait for it. */
import { context, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResourcesSync, envDetectorSync, Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
} from '@temporalio/interceptors-opentelemetry/lib/worker/index.js';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import { onEvent, stepOf } from './events.ts';

/** What a worker needs so that its runs and steps are traced. */
export type Traces = {
  readonly activity: readonly ActivityInterceptorsFactory[];
  readonly sinks: InjectedSinks<never>;
  /** Sends what is not sent yet. */
  readonly close: () => Promise<void>;
};

/**
 * Spans of runs, of steps, and within steps of the wait for the GPU, of a shard's answers and of fine-tunes. Where they go, which are
 * kept and what the service is called is set by OpenTelemetry's own OTEL_* variables.
 */
export function openTraces(): Traces {
  const resource = new Resource({ 'service.name': 'colloquy' }).merge(
    detectResourcesSync({ detectors: [envDetectorSync] }),
  );
  const spans = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [spans] });
  provider.register();
  traceReports();
  return {
    activity: [
      (activity) => ({
        inbound: new OpenTelemetryActivityInboundInterceptor(activity),
        outbound: new OpenTelemetryActivityOutboundInterceptor(activity),
      }),
      (activity) => ({
        inbound: {
          execute: (input, next) => {
            trace.getActiveSpan()?.setAttributes({ ...stepOf(activity, input.args[0]) });
            return next(input);
          },
        },
      }),
    ],
    sinks: { exporter: makeWorkflowExporter(spans, resource) } as InjectedSinks<never>,
    close: () => provider.shutdown(),
  };
}

/** A span for each, below the step's. One for each answer would be more than any collector wants. */
function traceReports(): void {
  const tracer = trace.getTracer('colloquy');
  const span = (
    name: string,
    {
      beganAt,
      endedAt,
      ...attributes
    }: { beganAt: number; endedAt: number; [attribute: string]: string | number },
  ): void => tracer.startSpan(name, { startTime: beganAt, attributes }, context.active()).end(endedAt);
  onEvent('gate passed', (wait) => span('wait for the GPU', wait));
  onEvent('shard answered', (shard) => span('answers', shard));
  onEvent('fine-tune ended', (fineTune) => span('fine-tune', fineTune));
}
