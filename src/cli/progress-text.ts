import { duration, evaluationName, percent } from '../text/figures.ts';
import type { Progress } from '../workflows/progress.ts';
import type { PhaseProgress } from './phase-progress.ts';
import type { Heartbeat, Snapshot } from './snapshot.ts';
import { terminalSafe } from '../text/terminal-safe.ts';

/** Where an experiment is, in a few words: `iteration 2/3, debating`. */
export function whereText({ phase, iteration, iterations, state }: Progress): string {
  const place = iteration === 0 ? 'base model' : `iteration ${iteration}/${iterations}`;
  if (phase === 'done' || phase === 'preparing') return phase;
  return `${place}, ${phase}${state === 'running' ? '' : ` (${state})`}`;
}

/** How far its phase is: `120/500 questions, 41/s, 9 s left`. */
export function phaseText(phase: PhaseProgress, fractionPerSecond: number | undefined): string {
  const parts = [`${phase.done}/${phase.total} ${phase.unit}`];
  if (fractionPerSecond !== undefined && phase.fraction < 1) {
    if (phase.unit === 'questions') parts.push(`${(fractionPerSecond * phase.total).toPrecision(2)}/s`);
    parts.push(`${duration((1 - phase.fraction) / fractionPerSecond)} left`);
  }
  return parts.join(', ');
}

/** What a fine-tune in flight says of itself: `step 12/40, loss 0.413, 2,100 tokens/s`. */
export function fineTuneText(heartbeat: Extract<Heartbeat, { step: number }>): string {
  const parts = [`step ${heartbeat.step}/${heartbeat.totalSteps}`];
  if (heartbeat.loss !== null) parts.push(`loss ${heartbeat.loss.toFixed(3)}`);
  if (heartbeat.tokensPerSecond !== null) {
    parts.push(`${Math.round(heartbeat.tokensPerSecond).toLocaleString('en-US')} tokens/s`);
  }
  return parts.join(', ');
}

/**
 * Tells what is worth a line of its own, each thing once: evaluations, steps that had to be tried again, a pause. An experiment
 * that could not be asked at the moment changes nothing.
 */
export function createNews(): (snapshot: Snapshot) => string[] {
  const told = new Set<string>();
  let wasPaused = false;
  const once = (key: string): boolean => !told.has(key) && told.add(key).has(key);
  return ({ progress, pending }) => {
    const evaluations =
      progress?.evaluations.filter(({ iteration }) => once(`evaluation ${iteration}`)) ?? [];
    // A worker that was stopped is no fault of a step, and does not count as one.
    const tried = pending.filter(
      ({ id, attempt, lastFailure }) =>
        attempt > 1 && !lastFailure?.startsWith('WorkerShutdown') && once(`${id} ${attempt}`),
    );
    const pausedNow = progress !== null && progress.state === 'paused' && !wasPaused;
    if (progress !== null) wasPaused = progress.state === 'paused';
    return [
      ...evaluations.map(
        ({ iteration, single, majority, debate }) =>
          `${evaluationName(iteration)}: single ${percent(single.accuracy)}, majority ${percent(majority.accuracy)}, ` +
          `debate ${percent(debate.accuracy)} (± ${(debate.standardError * 100).toFixed(1)})`,
      ),
      ...tried.map(
        ({ id, attempt, lastFailure }) =>
          `${id}: attempt ${attempt}, because: ${terminalSafe(firstLine(lastFailure ?? 'the worker went away'))}`,
      ),
      ...(pausedNow ? [`Paused. To go on: colloquy resume ${progress.experiment}`] : []),
    ];
  };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
