import type { ScheduleDescription } from '@temporalio/client';
import { nightsWaiting, runningNights } from './client.ts';
import { overlapPolicies } from './options.ts';
import { noteOf, seriesOf, whenText, zoneOf } from './text.ts';

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
