import { duration, evaluationName, percent } from '../report/format.ts';
import type { Progress } from '../workflows/progress.ts';
import type { PhaseProgress } from './phase-progress.ts';
import type { Heartbeat, Snapshot } from './snapshot.ts';
import { terminalSafe } from './terminal-safe.ts';

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

/** What is worth a line of its own since the last look: new evaluations, steps that had to be tried again, a pause. */
export function news(before: Snapshot | null, now: Snapshot): string[] {
  const evaluations = now.progress?.evaluations.slice(before?.progress?.evaluations.length ?? 0) ?? [];
  const known = new Set(before?.pending.map(attemptOf));
  const tried = now.pending.filter((each) => each.attempt > 1 && !known.has(attemptOf(each)));
  const paused = now.progress?.state === 'paused' && before?.progress?.state !== 'paused';
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
    ...(paused ? [`Paused. To go on: colloquy resume ${now.progress?.experiment ?? ''}`] : []),
  ];
}

function attemptOf({ id, attempt }: { readonly id: string; readonly attempt: number }): string {
  return `${id} ${attempt}`;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
