import { resultTable } from '../report/result-table.ts';
import { progressTable } from '../workflows/progress-table.ts';
import { stepText } from '../workflows/step-text.ts';
import { type Note, whatWaits } from '../workflows/what-waits.ts';
import { duration } from '../report/format.ts';
import { liveProgress } from './live-progress.ts';
import { fineTuneText } from './progress-text.ts';
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
  const shown = snapshot.pending.toSorted((a, b) => b.attempt - a.attempt).slice(0, mostSteps);
  const more = snapshot.pending.length - shown.length;
  return [
    rows.map(([what, text]) => `  ${what.padEnd(width)}  ${text}`).join('\n'),
    ...whatWaits(progress).map(noteText),
    ...(shown.length > 0
      ? [
          [
            'In flight:',
            ...shown.map((step) => `  ${inFlightText(step, now)}`),
            ...(more > 0 ? [`  and ${more} more`] : []),
          ].join('\n'),
        ]
      : []),
    ...(progress.evaluations.length > 0 ? [resultTable(progress.evaluations, { colours })] : []),
  ].join('\n\n');
}

/** So many steps in flight are listed, those tried most often first. */
const mostSteps = 10;

function noteText({ says, quoted, commands }: Note): string {
  return [
    says,
    ...(quoted === undefined ? [] : quoted.split('\n').map((line) => `  | ${line}`)),
    ...(commands ?? []).map((line) => `  ${line}`),
  ].join('\n');
}

function inFlightText(
  { id, attempt, lastFailure, nextAttemptAt, heartbeat }: PendingActivity,
  now: number,
): string {
  const parts = [stepText(id)];
  if (heartbeat !== undefined)
    parts.push(
      'step' in heartbeat ? fineTuneText(heartbeat) : `${heartbeat.answers} of ${heartbeat.total} answers`,
    );
  if (attempt > 1) {
    const wait = nextAttemptAt === undefined ? 0 : (nextAttemptAt.getTime() - now) / 1000;
    parts.push(wait > 0 ? `attempt ${attempt} in ${duration(wait)}` : `attempt ${attempt}`);
    if (lastFailure !== undefined) parts.push(`the one before failed: ${lastFailure}`);
  }
  return parts.join('; ');
}
