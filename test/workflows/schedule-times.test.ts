/** When a real server starts the nights of a schedule that `colloquy schedule create` would make. Nobody works on them. */
import { Client, Connection, ScheduleOverlapPolicy } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scheduleOptions } from '../../src/cli/commands/schedule-create.ts';
import { startTestServer, type TestServer } from '../faults/test-server.ts';
import { until } from '../support/until.ts';

describe('the nights of a schedule', () => {
  let server: TestServer;
  let connection: Connection;
  let client: Client;
  const connect = async () => {
    connection = await Connection.connect({ address: server.address });
    client = new Client({ connection });
  };
  beforeAll(async () => {
    server = await startTestServer();
    await connect();
  }, 60_000);
  afterAll(async () => {
    await connection.close();
    await server[Symbol.asyncDispose]();
  });

  const options = (name: string, at: string, catchupWindow = '6h') =>
    scheduleOptions({
      name,
      config: ['configs/quickstart.yaml'],
      at,
      cron: undefined,
      timeZone: 'Europe/Berlin',
      overlap: 'skip',
      catchupWindow,
      pauseOnFailure: true,
      carryOver: true,
      note: undefined,
    });

  /** As `temporal schedule list-matching-times` asks. */
  const timesBetween = async (scheduleId: string, start: string, end: string): Promise<string[]> => {
    const at = (iso: string) => ({ seconds: (Date.parse(iso) / 1000) as never });
    const { startTime } = await connection.workflowService.listScheduleMatchingTimes({
      namespace: 'default',
      scheduleId,
      startTime: at(start),
      endTime: at(end),
    });
    return startTime.map(({ seconds }) => new Date(Number(seconds) * 1000).toISOString().slice(0, 16));
  };

  // Berlin's clocks go from 2:00 to 3:00 on 28 March 2027, and from 3:00 back to 2:00 on 31 October (tz database, EU rules).
  it('keep to the clock on the wall when summer time begins and ends', async () => {
    await client.schedule.create(options('half-past-three', '03:30'));
    expect(await timesBetween('half-past-three', '2027-03-27T00:00:00Z', '2027-03-29T23:00:00Z')).toEqual([
      '2027-03-27T02:30',
      '2027-03-28T01:30',
      '2027-03-29T01:30',
    ]);
    expect(await timesBetween('half-past-three', '2027-10-30T00:00:00Z', '2027-11-01T23:00:00Z')).toEqual([
      '2027-10-30T01:30',
      '2027-10-31T02:30',
      '2027-11-01T02:30',
    ]);
  });

  it('are none at a time that is skipped, and one, the second time, at one that comes twice', async () => {
    await client.schedule.create(options('half-past-two', '02:30'));
    expect(await timesBetween('half-past-two', '2027-03-27T00:00:00Z', '2027-03-29T23:00:00Z')).toEqual([
      '2027-03-27T01:30',
      '2027-03-29T00:30',
    ]);
    expect(await timesBetween('half-past-two', '2027-10-30T00:00:00Z', '2027-11-01T23:00:00Z')).toEqual([
      '2027-10-30T00:30',
      '2027-10-31T01:30',
      '2027-11-01T01:30',
    ]);
  });

  it('that were missed while the server was down are made up for within the catch-up window, and not before it', async () => {
    const daily = options('caught-up', '02:30', '10s');
    await client.schedule.create({
      ...daily,
      // A night each second, none of which waits for another.
      spec: { intervals: [{ every: '1s' }] },
      policies: { ...daily.policies, overlap: ScheduleOverlapPolicy.ALLOW_ALL },
    });
    const info = async () => (await client.schedule.getHandle('caught-up').describe()).info;
    await until('a night was started', async () => (await info()).numActionsTaken > 0);
    await connection.close();
    await server.kill();
    const down = Date.now();
    await until('the window and two seconds have passed', () => Date.now() > down + 12_000);
    const up = Date.now();
    await server.start();
    await connect();
    const { recentActions } = await until('it has caught up', async () => {
      const now = await info();
      return now.recentActions.some(({ scheduledAt }) => scheduledAt.getTime() > up) && now;
    });
    const { numActionsMissedCatchupWindow: missed } = await info();
    expect(missed).toBeGreaterThan(0);
    const madeUpFor = recentActions.filter(
      ({ scheduledAt, takenAt }) => scheduledAt.getTime() < up && takenAt.getTime() > up,
    );
    expect(madeUpFor.length).toBeGreaterThan(0);
    for (const { scheduledAt, takenAt } of madeUpFor)
      expect(takenAt.getTime() - scheduledAt.getTime()).toBeLessThan(11_000);
    await client.schedule.getHandle('caught-up').delete();
  }, 60_000);
});
