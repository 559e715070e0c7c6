/** docs/temporal.md is the reference of what a Temporal client sees; what the recorded histories hold decides whether it is right. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { controlActivities, debateActivities, gpuActivities } from '../../src/activities/index.ts';
import type { Dependencies } from '../../src/activities/activity.ts';
import { projectRoot } from '../../src/config/installation.ts';

const page = readFileSync(join(projectRoot, 'docs', 'temporal.md'), 'utf8');
const rows = [...page.matchAll(/^\| `(\w+)` \| `([\w-]+)` \| (\d+) h \| `([\w-]+)` \|/gm)].map(
  ([, name = '', queue = '', hours = '', id = '']) => ({ name, queue, hours: Number(hours), id }),
);

type Scheduled = {
  readonly activityType: { readonly name: string };
  readonly activityId: string;
  readonly taskQueue: { readonly name: string };
  readonly startToCloseTimeout: string;
  readonly heartbeatTimeout: string;
  readonly retryPolicy: object;
};

const histories = join(projectRoot, 'test', 'histories');
/** Every activity of every recorded history, as the server was asked for it. */
const scheduled = readdirSync(histories)
  .filter((file) => file.endsWith('.json'))
  .flatMap((file): Scheduled[] => {
    const { events } = JSON.parse(readFileSync(join(histories, file), 'utf8')) as {
      events: { activityTaskScheduledEventAttributes?: Scheduled }[];
    };
    return events.flatMap(({ activityTaskScheduledEventAttributes: each }) => each ?? []);
  });

describe('docs/temporal.md', () => {
  it('has every activity', () => {
    const bound = {} as Dependencies;
    const names = [controlActivities(bound), debateActivities(bound), gpuActivities(bound)].flatMap(
      Object.keys,
    );
    expect(rows.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  });

  it.each(rows)('has the queue, the limit and an id of $name as in the recorded histories', (row) => {
    const own = scheduled.filter(({ activityType }) => activityType.name === row.name);
    // No recorded experiment measures diversity or removes models.
    expect(own.length > 0).toBe(!['measureDiversity', 'pruneModels'].includes(row.name));
    for (const { taskQueue } of own) expect(taskQueue.name).toBe(row.queue);
    if (own.length === 0) return;
    // Of `prepare` there are histories from before its limit was raised.
    const hours = own.map(({ startToCloseTimeout }) => Number.parseInt(startToCloseTimeout) / 3600);
    expect(Math.max(...hours)).toBe(row.hours);
    expect(own.map(({ activityId }) => activityId)).toContain(row.id);
  });

  it('has the heartbeat and the retries of the recorded histories', () => {
    const limits = new Set(
      scheduled.map(({ heartbeatTimeout, retryPolicy }) => JSON.stringify({ heartbeatTimeout, retryPolicy })),
    );
    const retryPolicy = {
      initialInterval: '1s',
      backoffCoefficient: 2,
      maximumInterval: '60s',
      maximumAttempts: 10,
    };
    expect([...limits]).toEqual([JSON.stringify({ heartbeatTimeout: '20s', retryPolicy })]);
    expect(page).toContain('given up after 20 s without one. It is tried at most 10 times');
    expect(page).toContain('at most 60 s apart');
  });
});
