import type { MetricMeter } from '@temporalio/common';
import { currentStep, onEvent } from './events.ts';

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
