import { type ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { activity, type Dependencies, type Running } from '../../src/activities/activity.ts';
import { EngineRefused } from '../../src/engines/errors.ts';
import { onAbort } from '../../src/engines/waiting.ts';
import { activityEnvironment, beatsOf } from '../support/run-step.ts';

/** No step of these tests uses any. */
const dependencies = {} as Dependencies;

/** Never ends by itself. */
const waits = (_input: unknown, _dependencies: Dependencies, { signal }: Running) =>
  new Promise<string>((_, reject) => onAbort(signal, () => reject(new Error('This operation was aborted'))));
/** In the step, as a beat needs the activity's context. */
const timePasses = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1_000);

describe('a step that runs as an activity', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('beats at once and every second, however long it waits, with all that it has shown', async () => {
    const environment = activityEnvironment();
    const beats = beatsOf(environment);
    const step = async (_input: unknown, _dependencies: Dependencies, { show }: Running) => {
      expect(beats).toEqual([{}]);
      show({ answers: 1, total: 9 });
      await timePasses(1);
      show({ answers: 2 });
      await timePasses(3_600);
      return 'done';
    };
    const result: unknown = await environment.run(activity(step, dependencies), 'input');
    expect(result).toEqual({ attempt: 1, output: 'done' });
    expect(beats).toHaveLength(1 + 1 + 3_600);
    expect(beats[1]).toEqual({ answers: 1, total: 9 });
    expect(beats.at(-1)).toEqual({ answers: 2, total: 9 });
  });

  it.each([
    ['has ended', async () => 'done'],
    ['was cancelled', waits],
  ])('beats no more once it %s', async (_, step) => {
    const environment = activityEnvironment();
    const beats = beatsOf(environment);
    await environment.run(async () => {
      const result = Promise.allSettled([activity(step, dependencies)('input')]);
      environment.cancel();
      await result;
      await timePasses(60);
    });
    expect(beats).toHaveLength(1);
  });

  it('gives its attempt with its result, and shows what the attempt before showed until it shows something itself', async () => {
    const heartbeatDetails = { answers: 7, total: 9 };
    const environment = activityEnvironment({ attempt: 3, heartbeatDetails });
    const beats = beatsOf(environment);
    const step = async (_input: unknown, _dependencies: Dependencies, { show }: Running) => {
      show({ total: 9 });
      await timePasses(1);
      return 'done';
    };
    const result: unknown = await environment.run(activity(step, dependencies), 'input');
    expect(result).toEqual({ attempt: 3, output: 'done' });
    expect(beats).toEqual([heartbeatDetails, { total: 9 }]);
  });

  it.each(['CANCELLED', 'PAUSED', 'RESET', 'TIMED_OUT', 'WORKER_SHUTDOWN', 'NOT_FOUND'] as const)(
    'that is stopped for the reason %s fails with that reason, whatever it throws itself',
    async (reason) => {
      const environment = activityEnvironment();
      const result = environment.run(activity(waits, dependencies), 'input');
      environment.cancel(reason);
      const failure: unknown = await result.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CancelledFailure);
      expect((failure as CancelledFailure).message).toBe(reason);
    },
  );

  it('fails under the name of its cause, once for all when trying again cannot help', async () => {
    const refused = () => Promise.reject(new EngineRefused('http://engine', 403, 'not yours'));
    const failure = (await activityEnvironment()
      .run(activity(refused, dependencies), 'input')
      .catch((error: unknown) => error)) as ApplicationFailure;
    expect(failure).toMatchObject({ type: 'EngineRefused', nonRetryable: true });
    expect(failure.message).toContain('status 403: not yours');
  });
});
