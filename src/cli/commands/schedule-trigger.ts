import { setTimeout as sleep } from 'node:timers/promises';
import type { ScheduleDescription } from '@temporalio/client';
import { changeSchedule } from '../change-schedule.ts';
import { command, jsonFlag } from '../command.ts';
import { scheduleArgument } from '../schedule-argument.ts';
import type { Schedule } from '../schedules.ts';

/** `colloquy schedule trigger NAME` */
export const scheduleTrigger = command({
  name: 'schedule trigger',
  description: 'start a night now, as its overlap policy allows',
  examples: ['colloquy schedule trigger nightly'],
  args: { ...scheduleArgument, ...jsonFlag },
  run: (args) =>
    changeSchedule(args, async (schedule) => {
      const { handle, description } = schedule;
      // Said explicitly: the client's own default starts a second night beside one that runs.
      await handle.trigger(description.policies.overlap);
      return whatCameOfIt(schedule);
    }),
});

/** The server takes a moment; a skipped night leaves nothing but a count. */
async function whatCameOfIt({ handle, description: before }: Schedule): Promise<string> {
  const known = new Set(nightsOf(before));
  for (let look = 0; look < looks; look++) {
    const now = await handle.describe();
    const started = nightsOf(now).find((name) => !known.has(name));
    if (started !== undefined) return `started ${started}. To watch it: colloquy status ${started}`;
    const running = now.info.runningActions.map(({ workflow }) => workflow.workflowId).join(', ');
    if (now.info.numActionsSkippedOverlap > before.info.numActionsSkippedOverlap)
      return `skipped, because ${running || 'another night'} is still running`;
    if (Number(now.raw.info?.bufferSize ?? 0) > Number(before.raw.info?.bufferSize ?? 0))
      return `waits until ${running || 'the night that runs'} has ended`;
    await sleep(200);
  }
  return 'asked for; colloquy schedule show tells when it has started';
}

/** Five seconds. */
const looks = 25;

function nightsOf({ info }: ScheduleDescription): string[] {
  return info.recentActions.map(({ action }) => action.workflow.workflowId);
}
