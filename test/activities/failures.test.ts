import { type ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { atPlace, failureOf } from '../../src/activities/activity.ts';
import { InvalidConfig } from '../../src/config/faults.ts';
import { EngineBusy, EngineUnreachable } from '../../src/engines/errors.ts';
import { FineTuneFailed } from '../../src/engines/trainer/errors.ts';
import { ArtifactDamaged, DiskFull } from '../../src/store/errors.ts';
import { splitPlace } from '../../src/text/figures.ts';

const running = new AbortController().signal;
const failure = (error: unknown) => failureOf(error, running) as ApplicationFailure;

describe('the failure of a step', () => {
  it.each([
    ['a bad config', new InvalidConfig([{ path: 'agents', message: 'too few' }]), 'InvalidConfig'],
    ['a damaged artifact', new ArtifactDamaged('/x', 'a', 'b'), 'ArtifactDamaged'],
    ['a full disk', new DiskFull('/x', new Error('ENOSPC')), 'DiskFull'],
    ['a loss that is no number', new FineTuneFailed('job', 'nan_loss', 'loss is nan'), 'FineTuneFailed'],
    ['a GPU without memory', new FineTuneFailed('job', 'out_of_memory', 'CUDA'), 'FineTuneFailed'],
  ])('is final for %s, under the name of its cause', (_, error, type) => {
    expect(failure(error)).toMatchObject({ type, nonRetryable: true, message: error.message });
  });

  it.each([
    ['an engine that does not answer', new EngineUnreachable('http://127.0.0.1:1', 'ECONNREFUSED')],
    ["a trainer's own mistake", new FineTuneFailed('job', 'internal', 'KeyError')],
    ['an error that nobody foresaw', new TypeError('x is undefined')],
  ])('is tried again for %s', (_, error) => {
    expect(failure(error)).toMatchObject({ type: error.name, nonRetryable: false });
  });

  it('names the request at which it was met first, behind its message, however long that is', async () => {
    const error = new EngineUnreachable('http://127.0.0.1:1', 'ECONNREFUSED', 'x'.repeat(5_000));
    for (const agent of [2, 3]) {
      const place = { questionId: 'arithmetic/7', agent, round: 1, speaker: 'generation' };
      await expect(atPlace(place, () => Promise.reject(error))).rejects.toBe(error);
    }
    const { cause, place } = splitPlace(failure(error).message);
    expect(place).toBe('First met at question arithmetic/7, agent 2, round 1 (generation).');
    expect(cause).toMatch(/^No answer from .*…$/);
    expect(splitPlace('no request')).toEqual({ cause: 'no request', place: null });
  });

  it('waits as long as a busy engine asks', () => {
    expect(failure(new EngineBusy('http://e', 503, 60_000, 7_000, 'busy'))).toMatchObject({
      nextRetryDelay: 7_000,
    });
  });

  it('is the reason of the cancellation once there is one, whatever was thrown', () => {
    const stop = new AbortController();
    const reason = new CancelledFailure('paused');
    stop.abort(reason);
    expect(failureOf(new Error('This operation was aborted'), stop.signal)).toBe(reason);
  });

  it('is cut where a history would otherwise carry a whole log', () => {
    expect(failure(new Error('x'.repeat(100_000))).message.length).toBeLessThan(3_000);
  });

  it('has no half of a character, however it is cut: the server could not read it', () => {
    for (const before of ['', 'x'])
      expect(failure(new Error(before + '🜚'.repeat(50_000))).message).not.toMatch(/[\ud800-\udfff]/u);
  });
});
