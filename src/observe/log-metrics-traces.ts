/** What does a worker make of the events of its steps: lines of a log, metrics, and traces? */
import { dirname } from 'node:path';
import type { ContextAPI, Tracer } from '@opentelemetry/api';
import type { MetricMeter } from '@temporalio/common';
import type { ActivityInterceptorsFactory, InjectedSinks } from '@temporalio/worker';
import pino, { type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { pathExists } from '../config/load.ts';
import { makeFolder, writeError } from '../store/files/atomic.ts';
import { currentStep, onEvent, stepOf } from './events.ts';

/** How much is logged. */
export type LogLevel = (typeof logLevels)[number];
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;

/** Where lines go in addition to the file: readable ones on a terminal, a JSON object a line elsewhere. */
export type Console = Pick<NodeJS.WriteStream, 'write'> & { readonly isTTY?: boolean };

/**
 * A worker's log: a JSON object a line, appended to a file, and the same on `console`.
 *
 * @throws StoreNotWritable, DiskFull
 */
export async function openWorkerLog(path: string, level: LogLevel, console?: Console): Promise<Logger> {
  const file = await open(path);
  // A full disk must park a step, not end the worker because a line of its log is lost.
  file.on('error', () => undefined);
  const streams: { level: LogLevel; stream: DestinationStream }[] = [{ level, stream: file }];
  if (console !== undefined) streams.push({ level, stream: console.isTTY ? readable(console) : console });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.multistream(streams),
  );
}

async function open(path: string): Promise<ReturnType<typeof pino.destination>> {
  try {
    await makeFolder(dirname(path));
    const file = pino.destination({ dest: path, sync: true, append: true });
    reopenWhenRemoved(file, path);
    return file;
  } catch (error) {
    throw writeError(path, error);
  }
}

/** A store may be removed while its worker runs. The log then begins again, where people look for it. */
function reopenWhenRemoved(file: ReturnType<typeof pino.destination>, path: string): void {
  setInterval(() => {
    if (pathExists(path)) return;
    makeFolder(dirname(path)).then(
      () => file.reopen(),
      // The disk refuses it now; it is tried again.
      () => undefined,
    );
  }, lookMs).unref();
}
const lookMs = 10_000;

/** `09:41:12 INFO: step finished {"experiment":"demo","step":"debate-i1-train-s003","seconds":4.2}` */
function readable(console: Console): DestinationStream {
  const format = prettyFactory({
    colorize: !process.env['NO_COLOR'],
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    // A step's id has them all, for a person; where in Temporal a line comes from, the file says.
    ignore: 'run,from,taskQueue,split,shard,iteration,agent,role',
  });
  return { write: (line) => void console.write(format(line)) };
}

/** Writes to the log the events of engines and trainers: a line for what is rare, none for what happens with every answer. */
export function logReports(log: Logger): void {
  onEvent('engine started', (engine) =>
    log.info(engine, engine.starts > 1 ? 'engine restarted' : 'engine started'),
  );
  onEvent('engine died', (engine) => log.warn(engine, 'engine died'));
  onEvent('adapter loaded', (adapter) => log.info(adapter, 'adapter loaded'));
  onEvent('base model beside adapters', (found) =>
    log.warn(found, 'the server answers the base model with an adapter: they are asked in turn from now on'),
  );
  onEvent('no answer', (outage) => log.warn(outage, 'no answer from the server, which is waited for'));
  onEvent('answers again', (outage) => log.info(outage, 'the server answers again'));
  onEvent('server left out', (left) =>
    log.warn(left, 'the other servers of the endpoint get the requests of this one'),
  );
  onEvent('server back', (back) => log.info(back, 'the server gets requests again'));
  onEvent('fine-tune waits', (waits) => log.info(waits, 'the fine-tune waits at its server'));
  onEvent('file left at a server', (left) => log.warn(left, 'the file of a fine-tune stays at its server'));
  onEvent('micro-batch', (smaller) =>
    log.warn(
      smaller,
      'not enough memory: the fine-tune goes on with fewer rows at once, or with gradient checkpointing',
    ),
  );
  onEvent('checkpoint', (checkpoint) => log.info(checkpoint, 'checkpoint written'));
  onEvent('fine-tune step', (step) => log.debug(step, 'fine-tune step'));
  onEvent('fine-tune ended', ({ beganAt, endedAt, ...fineTune }) =>
    log.info({ ...fineTune, seconds: (endedAt - beganAt) / 1000 }, 'fine-tune ended'),
  );
  onEvent('step of other code', (codes) => log.warn({ ...currentStep(), ...codes }, 'step of other code'));
  onEvent('questions left out', (questions) => log.warn(questions, 'questions left out'));
  onEvent('shard answered', ({ endpoint, answers, asked, beganAt, endedAt }) =>
    log.debug(
      { ...currentStep(), endpoint, answers, asked, seconds: (endedAt - beganAt) / 1000 },
      'shard answered',
    ),
  );
}

/**
 * Counts and measures the events of engines and trainers, beside the SDK's own metrics. Labels have few values: the endpoint's name, the
 * model's role, the agent, the experiment; never a question.
 */
export function measureReports(meter: MetricMeter): void {
  const experiment = (): { experiment: string } => ({ experiment: currentStep()?.experiment ?? '' });

  const answers = meter.createCounter('colloquy_answers_total', '', 'Answers that endpoints gave');
  const prompt = meter.createCounter('colloquy_prompt_tokens_total', '', 'Tokens of the prompts answered');
  const completion = meter.createCounter('colloquy_completion_tokens_total', '', 'Tokens of those answers');
  onEvent('answer', ({ endpoint, speaker: role, promptTokens, completionTokens }) => {
    const labels = { ...experiment(), endpoint, role };
    answers.add(1, labels);
    prompt.add(promptTokens, labels);
    completion.add(completionTokens, labels);
  });

  const inFlight = meter.createGauge('colloquy_requests_in_flight', 'int', '', 'Sent and not answered');
  const waiting = meter.createGauge('colloquy_requests_waiting', 'int', '', 'Waiting to be sent');
  const queues = new Map<string, { inFlight: number; waiting: number }>();
  onEvent('queue', ({ endpoint, ...change }) => {
    const before = queues.get(endpoint) ?? { inFlight: 0, waiting: 0 };
    const now = { inFlight: before.inFlight + change.inFlight, waiting: before.waiting + change.waiting };
    queues.set(endpoint, now);
    inFlight.set(now.inFlight, { endpoint });
    waiting.set(now.waiting, { endpoint });
  });

  const gate = meter.createHistogram(
    'colloquy_gpu_gate_wait_seconds',
    'float',
    '',
    'Waiting for the GPU: answers (shared), fine-tunes (exclusive)',
  );
  onEvent('gate passed', ({ kind, beganAt, endedAt }) => gate.record((endedAt - beganAt) / 1000, { kind }));

  const steps = meter.createCounter('colloquy_fine_tune_steps_total', '', 'Optimiser steps');
  const loss = meter.createGauge('colloquy_fine_tune_loss', 'float', '', 'Of the last step');
  const speed = meter.createGauge('colloquy_fine_tune_tokens_per_second', 'float', '', 'Of the last step');
  onEvent('fine-tune step', (step) => {
    const labels = { experiment: step.experiment, agent: step.agent, role: step.role };
    steps.add(1, labels);
    if (step.loss !== null) loss.set(step.loss, labels);
    if (step.tokensPerSecond !== null) speed.set(step.tokensPerSecond, labels);
  });

  const retries = meter.createCounter('colloquy_step_retries_total', '', 'Attempts beyond the first');
  onEvent('step retried', (step) => retries.add(1, { experiment: step.experiment }));
  const deaths = meter.createCounter(
    'colloquy_engine_deaths_total',
    '',
    'Supervised engines that ended by themselves',
  );
  onEvent('engine died', () => deaths.add(1));
}

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
export async function openTraces(): Promise<Traces> {
  // Only now: workers that send no spans do not wait for OpenTelemetry.
  const [
    { context, trace },
    { OTLPTraceExporter },
    { detectResourcesSync, envDetectorSync, Resource },
    { BatchSpanProcessor },
    { NodeTracerProvider },
    {
      makeWorkflowExporter,
      OpenTelemetryActivityInboundInterceptor,
      OpenTelemetryActivityOutboundInterceptor,
    },
  ] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/sdk-trace-node'),
    import('@temporalio/interceptors-opentelemetry/lib/worker/index.js'),
  ]);
  const resource = new Resource({ 'service.name': 'colloquy' }).merge(
    detectResourcesSync({ detectors: [envDetectorSync] }),
  );
  const spans = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new NodeTracerProvider({ resource, spanProcessors: [spans] });
  provider.register();
  traceReports(trace.getTracer('colloquy'), context);
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
function traceReports(tracer: Tracer, context: ContextAPI): void {
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
