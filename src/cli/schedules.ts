import { type ScheduleDescription, type ScheduleHandle, ScheduleNotFoundError } from '@temporalio/client';
import { closest } from 'fastest-levenshtein';
import type { Temporal } from './connect.ts';

/** Temporal knows no schedule of that name. */
export class ScheduleNotFound extends Error {
  override name = 'ScheduleNotFound' as const;

  constructor(schedule: string, known: readonly string[], address: string) {
    const nearest = known.length > 0 ? `Did you mean "${closest(schedule, known)}"? ` : '';
    super(
      `There is no schedule "${schedule}" at ${address}. ${nearest}\`colloquy schedule list\` lists those there are; ` +
        '`colloquy schedule create` makes one.',
    );
  }
}

/** A schedule that is there, as the server has it now. */
export type Schedule = { readonly handle: ScheduleHandle; readonly description: ScheduleDescription };

/**
 * Looks a schedule up.
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
