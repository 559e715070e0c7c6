/** How far a running experiment is, steps in flight included, and what is new about it. */
import { counted, evaluationName, percent } from '../../text/figures.ts';
import { shellWord, terminalSafe } from '../../text/terminal-safe.ts';
import { phaseName } from '../../workflows/progress-table.ts';
import { type Loss, type Progress, secondsWorked } from '../../workflows/progress.ts';
import { byCause, causeOf, timeText } from '../../workflows/waiting-notes.ts';
import type { Heartbeat, PendingActivity, Snapshot } from './snapshot.ts';

/**
 * The experiment's own progress together with what the server knows about the steps in flight: how far each is, its attempts, the
 * loss of a running fine-tune. The experiment itself learns these only when a step ends.
 *
 * @param now milliseconds
 */
export function liveProgress(progress: Progress, pending: readonly PendingActivity[], now: number): Progress {
  return {
    ...progress,
    done: stepsDone(progress, pending),
    workedSeconds: progress.workedSeconds + secondsWorked(progress, now),
    retries: progress.retries + pending.reduce((sum, { attempt }) => sum + attempt - 1, 0),
    lastLoss: pending.map(lossOf).find((loss) => loss !== undefined) ?? progress.lastLoss,
  };
}

/** Steps of the current phase that are done, those in flight as fractions: their heartbeats say how far they are. */
function stepsDone({ done, total }: Progress, pending: readonly PendingActivity[]): number {
  const inFlight = pending.reduce((sum, { heartbeat }) => sum + fractionOf(heartbeat), 0);
  return Math.min(total, done + inFlight);
}

function fractionOf(heartbeat: Heartbeat | undefined): number {
  if (heartbeat === undefined) return 0;
  const [done, total] =
    'answers' in heartbeat ? [heartbeat.answers, heartbeat.total] : [heartbeat.step, heartbeat.totalSteps];
  // Less than 1, because the step is not counted as done yet.
  return total > 0 ? Math.min(0.99, done / total) : 0;
}

function lossOf({ heartbeat }: PendingActivity): Loss | undefined {
  if (heartbeat === undefined || !('step' in heartbeat) || heartbeat.loss === null) return undefined;
  const { loss, iteration, agent, role } = heartbeat;
  return { loss, iteration, agent, role };
}

/** Where an experiment is, and its state unless it runs: `iteration 2 of 3: debating (paused)`. */
export function whereText(progress: Progress): string {
  const { phase, state } = progress;
  const shown = state !== 'running' && phase !== 'preparing' && phase !== 'done';
  return `${phaseName(progress)}${shown ? ` (${state})` : ''}`;
}

/** The same where there is little room: `2/3: debating`. */
export function shortWhereText({ phase, state, iteration, iterations }: Progress): string {
  if (phase === 'preparing' || phase === 'done') return phase;
  const where = `${iteration === 0 ? 'base' : `${iteration}/${iterations}`}: ${phase}`;
  return state === 'running' ? where : `${where} (${state})`;
}

/** What the heartbeat of a fine-tune says: `step 12/40, loss 0.413, 2,100 tokens/s`. */
export function fineTuneText(heartbeat: Extract<Heartbeat, { step: number }>): string {
  const parts = [`step ${heartbeat.step}/${heartbeat.totalSteps}`];
  if (heartbeat.loss !== null) parts.push(`loss ${heartbeat.loss.toFixed(3)}`);
  if (heartbeat.tokensPerSecond !== null) {
    parts.push(`${Math.round(heartbeat.tokensPerSecond).toLocaleString('en-US')} tokens/s`);
  }
  return parts.join(', ');
}

/**
 * Finds what deserves a line of its own in one snapshot after another, each thing once: evaluations, steps that had to be tried
 * again, warnings, a pause. A snapshot without progress, because no worker answered, changes nothing.
 */
export function createNews(): (snapshot: Pick<Snapshot, 'progress' | 'pending'>) => string[] {
  const reported = new Set<string>();
  let wasPaused = false;
  const isNew = (key: string): boolean => !reported.has(key) && reported.add(key).has(key);
  return ({ progress, pending }) => {
    const evaluations =
      progress?.evaluations.filter(({ iteration }) => isNew(`evaluation ${iteration}`)) ?? [];
    // A stopped worker is not a failure of the step. Steps that fail for one reason have one line for each of their attempts.
    const failed = pending.filter(
      ({ attempt, lastFailure }) => attempt > 1 && !lastFailure?.startsWith('WorkerShutdown'),
    );
    const triedAgain = byCause(
      failed.map((each) => ({ ...each, reason: each.lastFailure ?? each.id })),
    ).flatMap((steps) => {
      const attempt = Math.max(...steps.map((each) => each.attempt));
      const [first, ...others] = steps;
      const known = first === undefined || !isNew(`attempt ${attempt} ${causeOf(first.reason)}`);
      return known ? [] : [{ ...first, attempt, others: others.length }];
    });
    const silent = pending.flatMap(({ noAnswer }) => (noAnswer === undefined ? [] : [noAnswer]));
    const outages = silent.filter(({ url, since }) => isNew(`no answer ${url} ${since}`));
    const warned = progress?.warnings.filter(({ kind }) => isNew(`warning ${kind}`)) ?? [];
    const pausedNow = progress !== null && progress.state === 'paused' && !wasPaused;
    if (progress !== null) wasPaused = progress.state === 'paused';
    return [
      ...evaluations.map(
        ({ iteration, single, majority, debate }) =>
          `${evaluationName(iteration)}: single ${percent(single.accuracy)}, majority ${percent(majority.accuracy)}, ` +
          `debate ${percent(debate.accuracy)} (± ${(debate.standardError * 100).toFixed(1)})`,
      ),
      ...triedAgain.map(
        ({ id, attempt, lastFailure, others }) =>
          `${id}${others > 0 ? ` and ${others} more` : ''}: attempt ${attempt}, because: ` +
          terminalSafe(firstLine(lastFailure ?? 'the worker went away')),
      ),
      ...outages.map(({ url, reason, since, until }) => {
        const waiting = silent.filter((each) => each.url === url && each.since === since);
        return (
          `No answer from ${terminalSafe(url)} since ${timeText(since)} (${terminalSafe(reason)}). What needs it waits until ` +
          `${timeText(until)} and goes on when it answers; now that is ${counted(waiting.length, 'step')}.`
        );
      }),
      ...warned.map(({ says }) => `Warning: ${terminalSafe(says)}`),
      ...pending
        .filter(({ id, pausedBy }) => pausedBy !== undefined && isNew(`${id} is paused`))
        .map(
          ({ id, pausedBy }) =>
            `${id} was paused by ${pausedBy}. It waits for: ${unpauseCommand(progress?.experiment ?? 'NAME', id)}`,
        ),
      ...(pausedNow ? [`Paused. To go on: colloquy resume ${progress.experiment}`] : []),
    ];
  };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

/** What lets a step go on that an operator has paused. */
export function unpauseCommand(experiment: string, id: string): string {
  return `temporal activity unpause -w ${shellWord(experiment)} -a ${shellWord(id)}`;
}
