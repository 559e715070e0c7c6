/** What the server knows of a schedule, for people and for programs. */
import {
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { closest } from 'fastest-levenshtein';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { duration } from '../../text/figures.ts';
import { terminalSafe } from '../../text/safe-text.ts';
import type { Temporal } from '../server/connect.ts';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens when a night is due while the previous one still runs: Temporal's overlap policies. */
export const overlapPolicies = {
  skip: ScheduleOverlapPolicy.SKIP,
  'buffer-one': ScheduleOverlapPolicy.BUFFER_ONE,
  'buffer-all': ScheduleOverlapPolicy.BUFFER_ALL,
  'cancel-other': ScheduleOverlapPolicy.CANCEL_OTHER,
  'terminate-other': ScheduleOverlapPolicy.TERMINATE_OTHER,
  'allow-all': ScheduleOverlapPolicy.ALLOW_ALL,
} as const;

/** Temporal has no schedule of that name. */
export class ScheduleNotFound extends ColloquyError {
  override name = 'ScheduleNotFound' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(schedule: string, known: readonly string[], address: string) {
    const nearest = known.length > 0 ? `Did you mean "${closest(schedule, known)}"? ` : '';
    super(
      `There is no schedule "${schedule}" at ${address}. ${nearest}\`colloquy schedule list\` lists the existing ones; ` +
        '`colloquy schedule create` makes one.',
    );
  }
}

/** A schedule and its description on the server. */
export type Schedule = { readonly handle: ScheduleHandle; readonly description: ScheduleDescription };

/**
 * Finds a schedule by its name.
 *
 * @throws ScheduleNotFound naming the nearest
 */
export async function findSchedule({ client, address }: Temporal, name: string): Promise<Schedule> {
  const handle = client.schedule.getHandle(name);
  try {
    return { handle, description: await handle.describe() };
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    const known: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) known.push(scheduleId);
    throw new ScheduleNotFound(name, known, address);
  }
}

/** The names of the nights that the schedule started last, the oldest first. */
export function recentNights({ info }: ScheduleDescription): string[] {
  return info.recentActions.map(({ action }) => action.workflow.workflowId);
}

/** The names of the nights that run now. */
export function runningNights({ info }: ScheduleDescription): string[] {
  return info.runningActions.map(({ workflow }) => workflow.workflowId);
}

/** How many nights wait until another one has ended. */
export function nightsWaiting({ raw }: ScheduleDescription): number {
  return Number(raw.info?.bufferSize ?? 0);
}

/** A schedule in words: one line of plain text for each row of `colloquy schedule show`. */
export function scheduleTable(description: ScheduleDescription): Record<string, string> {
  const { policies, info } = description;
  const zone = zoneOf(description);
  const next = info.nextActionTimes.slice(0, 3).map((time) => timeIn(zone, time));
  return {
    state: stateText(description),
    ...(noteOf(description) === undefined ? {} : { note: terminalSafe(noteOf(description) ?? '') }),
    when: `${whenText(description)}, ${zone}`,
    next: description.state.paused ? 'none while it is paused' : next.join(', ') || 'none',
    'when one still runs': overlapText[policies.overlap ?? overlapPolicies.skip] ?? String(policies.overlap),
    'missed nights': `made up for when at most ${duration(policies.catchupWindow / 1000)} late`,
    'after a failure': policies.pauseOnFailure ? 'it pauses itself' : 'it goes on',
    'agents carried over': seriesOf(description) ?? 'no: each night begins with the base model',
    started: String(info.numActionsTaken),
    skipped: skippedText(description),
    missed: String(info.numActionsMissedCatchupWindow),
    'waiting to start': String(nightsWaiting(description)),
    running: runningNights(description).join(', ') || 'none',
  };
}

/** The times of a schedule in words: `every day at 02:00`. */
export function whenText({ spec }: Pick<ScheduleDescription, 'spec'>): string {
  return spec.calendars?.map(calendarText).join('; ') || 'at intervals';
}

/** The note with which the schedule was made. The server's own note is replaced at each pause; this one stays. */
export function noteOf({ memo }: Pick<ScheduleDescription, 'memo'>): string | undefined {
  const note = memo?.['note'];
  return typeof note === 'string' ? note : undefined;
}

/** `active`, or `paused` and why. */
export function stateText({ state }: Pick<ScheduleDescription, 'state'>): string {
  const note = state.note ? `: ${terminalSafe(state.note)}` : '';
  return `${state.paused ? 'paused' : 'active'}${note}`;
}

/** While one run hangs, every later night is skipped and nothing fails: only this count shows it. */
export function skippedText({ info }: ScheduleDescription): string {
  const skipped = info.numActionsSkippedOverlap;
  return skipped === 0 ? '0' : `${skipped}, because another night was still running`;
}

/** The time zone of a schedule's times. */
export function zoneOf({ spec }: ScheduleDescription): string {
  return spec.timezone || 'UTC';
}

/** A time on the clocks of that time zone: `2026-11-24 02:00`. */
export function timeIn(timeZone: string, time: Date): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(time);
}

/** The series that the schedule's nights belong to. */
export function seriesOf({ action }: ScheduleDescription): string | undefined {
  const input: unknown = action.args?.[0];
  if (typeof input !== 'object' || input === null || !('carry_over' in input)) return undefined;
  const { carry_over: carryOver } = input;
  if (typeof carryOver !== 'object' || carryOver === null || !('series' in carryOver)) return undefined;
  return typeof carryOver.series === 'string' ? carryOver.series : undefined;
}

const overlapText: Readonly<Record<string, string>> = {
  [overlapPolicies.skip]: 'the next is skipped',
  [overlapPolicies['buffer-one']]: 'the next starts after it, later ones are skipped',
  [overlapPolicies['buffer-all']]: 'all that are due start after it, one after the other',
  [overlapPolicies['cancel-other']]: 'it is cancelled, and the next starts',
  [overlapPolicies['terminate-other']]: 'it is terminated, and the next starts',
  [overlapPolicies['allow-all']]: 'both run',
};

type Calendar = NonNullable<ScheduleDescription['spec']['calendars']>[number];

/** Schedules that other programs made may have no comment. */
function calendarText({ comment, hour, minute, dayOfMonth, month, dayOfWeek }: Calendar): string {
  if (comment) return terminalSafe(comment);
  const only = (ranges: Calendar['hour']): string | undefined => {
    const [range] = ranges;
    const one = ranges.length === 1 && range?.start === range?.end;
    return one ? String(range?.start).padStart(2, '0') : undefined;
  };
  const [at, past] = [only(hour), only(minute)];
  const daily =
    covers(dayOfMonth, 1, 31) &&
    covers(month, 'JANUARY', 'DECEMBER') &&
    covers(dayOfWeek, 'SUNDAY', 'SATURDAY');
  if (at === undefined || past === undefined) return 'by a calendar';
  return `${daily ? 'every day' : 'on some days'} at ${at}:${past}`;
}

type Ranges<Unit> = readonly { readonly start: Unit; readonly end: Unit; readonly step: number }[];

function covers<Unit>([range]: Ranges<Unit>, first: Unit, last: Unit): boolean {
  return range?.start === first && range.end === last && range.step <= 1;
}

/** A schedule for programs: plain keys, numbers as numbers, times in ISO 8601. */
export function scheduleFacts(description: ScheduleDescription): object {
  const { state, policies, info } = description;
  const overlap = Object.entries(overlapPolicies).find(([, policy]) => policy === policies.overlap)?.[0];
  return {
    state: state.paused ? 'paused' : 'active',
    reason: state.note ?? null,
    note: noteOf(description) ?? null,
    when: whenText(description),
    timeZone: zoneOf(description),
    next: state.paused ? [] : info.nextActionTimes.map((time) => time.toISOString()),
    overlap: overlap ?? 'skip',
    catchupWindowSeconds: policies.catchupWindow / 1000,
    pauseOnFailure: policies.pauseOnFailure,
    series: seriesOf(description) ?? null,
    started: info.numActionsTaken,
    skipped: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
    waiting: nightsWaiting(description),
    running: runningNights(description),
  };
}

/** What a trigger came to, in words, and the name of the night that it started. */
export type Triggered = { readonly said: string; readonly started?: string };

/** Waits up to five seconds for the server to act on a trigger. A skipped night leaves nothing but a count. */
export async function outcomeOfTrigger({ handle, description: before }: Schedule): Promise<Triggered> {
  const known = new Set(recentNights(before));
  for (let attempt = 0; attempt < 25; attempt++) {
    const now = await handle.describe();
    const started = recentNights(now).find((name) => !known.has(name));
    if (started !== undefined)
      return { said: `started ${started}. To watch it: colloquy status ${started} --watch`, started };
    const running = runningNights(now).join(', ');
    if (now.info.numActionsSkippedOverlap > before.info.numActionsSkippedOverlap)
      return { said: `skipped, because ${running || 'another night'} is still running` };
    if (nightsWaiting(now) > nightsWaiting(before))
      return { said: `waits until ${running || 'the night that runs'} has ended` };
    await sleep(200);
  }
  return { said: 'asked for; colloquy schedule show will list it when it has started' };
}
