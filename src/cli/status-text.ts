import { duration } from '../text/figures.ts';
import { progressTable } from '../workflows/progress-table.ts';
import { type Note, stepText, whatWaits } from '../workflows/what-waits.ts';
import { liveProgress } from './live-progress.ts';
import { fineTuneText } from './progress-text.ts';
import { resultTable } from './result-table.ts';
import type { PendingActivity, Snapshot } from './snapshot.ts';

/**
 * How a running experiment stands: the table that the Temporal UI shows too, what waits for a person, the steps in flight, and the
 * results so far.
 *
 * @param now milliseconds
 */
export function statusText(
  snapshot: Snapshot & { readonly progress: NonNullable<Snapshot['progress']> },
  { now, colours }: { now: number; colours: boolean },
): string {
  const progress = liveProgress(snapshot.progress, snapshot.pending, now);
  const rows = Object.entries(progressTable(progress));
  const width = Math.max(...rows.map(([what]) => what.length));
  return [
    rows.map(([what, text]) => `  ${what.padEnd(width)}  ${text}`).join('\n'),
    ...whatWaits(progress).map(noteText),
    ...inFlightText(snapshot.pending, now),
    ...(progress.evaluations.length > 0 ? [resultTable(progress.evaluations, { colours })] : []),
  ].join('\n\n');
}

function noteText({ says, quoted, commands }: Note): string {
  return [
    says,
    ...(quoted === undefined ? [] : quoted.split('\n').map((line) => `  | ${line}`)),
    ...(commands ?? []).map((line) => `  ${line}`),
  ].join('\n');
}

/** What fails for one reason is told once, and comes first; of the others, the first few. */
function inFlightText(pending: readonly PendingActivity[], now: number): string[] {
  if (pending.length === 0) return [];
  const failing = pending.filter(({ attempt }) => attempt > 1);
  const reasons = [...new Set(failing.map(({ lastFailure }) => lastFailure))];
  const well = pending.filter(({ attempt }) => attempt === 1);
  const lines = [
    ...reasons.map((reason) =>
      failingText(
        failing.filter(({ lastFailure }) => lastFailure === reason),
        now,
      ),
    ),
    ...well.slice(0, mostSteps).map((step) => [stepText(step.id), ...workText(step)].join('; ')),
    ...(well.length > mostSteps ? [`and ${well.length - mostSteps} more`] : []),
  ];
  return [['In flight:', ...lines.map((line) => `  ${line}`)].join('\n')];
}

const mostSteps = 10;

/** Steps whose last attempt failed for one reason. */
function failingText(steps: readonly PendingActivity[], now: number): string {
  const [first] = steps;
  if (first === undefined) return '';
  const wait = first.nextAttemptAt === undefined ? 0 : (first.nextAttemptAt.getTime() - now) / 1000;
  return [
    `${stepText(first.id)}${steps.length > 1 ? ` and ${steps.length - 1} more` : ''}`,
    ...workText(first),
    `attempt ${first.attempt}${wait > 0 ? ` in ${duration(wait)}` : ''}`,
    ...(first.lastFailure === undefined ? [] : [`the one before failed: ${first.lastFailure}`]),
  ].join('; ');
}

function workText({ heartbeat }: PendingActivity): string[] {
  if (heartbeat === undefined) return [];
  return [
    'step' in heartbeat ? fineTuneText(heartbeat) : `${heartbeat.answers} of ${heartbeat.total} answers`,
  ];
}
