import { type ScheduleDescription, type ScheduleHandle, ScheduleNotFoundError } from '@temporalio/client';
import { closest } from 'fastest-levenshtein';
import type { Temporal } from '../server/connect.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

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
