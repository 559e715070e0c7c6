import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { type PendingActivity, shownBy, type Snapshot } from '../../../src/cli/experiment/snapshot.ts';
import { createNews, liveProgress, whereText } from '../../../src/cli/experiment/progress.ts';
import { shown } from '../../../src/engines/trainer/trainer.ts';
import type { Progress } from '../../../src/workflows/progress.ts';
import { phaseProgressText } from '../../../src/workflows/progress-table.ts';
import { aProgress } from '../../support/a-progress.ts';

const pending = (heartbeat?: PendingActivity['heartbeat']): PendingActivity => ({
  id: 'debate-i1-train-s003',
  words: 'a step',
  attempt: 1,
  lastFailure: undefined,
  nextAttemptAt: undefined,
  heartbeat,
});

describe('the progress of a phase', () => {
  const live = (of: Progress, inFlight: readonly PendingActivity[]): Progress =>
    liveProgress(of, inFlight, 0);

  it('is shown in questions instead of shards and counts the answers of shards in flight', () => {
    const inFlight = [pending({ answers: 96, total: 192 }), pending({ answers: 48, total: 192 }), pending()];
    const phase = live(aProgress({ done: 4 }), inFlight);
    expect(phase).toMatchObject({ done: 4.75, total: 10 });
    expect(phaseProgressText(phase)).toBe('152 of 320 questions');
  });

  it('counts the steps of a fine-tune in flight', () => {
    const fineTune = pending({
      step: 10,
      totalSteps: 40,
      loss: 0.4,
      tokensPerSecond: 2000,
      iteration: 1,
      agent: 1,
      role: 'critic',
    });
    const phase = live(aProgress({ phase: 'fine-tuning', unit: 'models', done: 1, total: 6, questions: 0 }), [
      fineTune,
    ]);
    expect(phase.done).toBe(1.25);
    expect(phaseProgressText(phase)).toBe('1 of 6 models');
  });

  it('is never done before the last step is, nor more than done', () => {
    const almost = [pending({ answers: 192, total: 192 })];
    expect(live(aProgress({ done: 9 }), almost).done).toBeLessThan(10);
    expect(live(aProgress({ done: 10 }), almost).done).toBe(10);
  });

  it('is nothing, and no error, for a phase without steps', () => {
    const phase = live(aProgress({ total: 0, unit: 'steps', questions: 0 }), []);
    expect(phase.done).toBe(0);
    expect(phaseProgressText(phase)).toBe('0 of 0 steps');
  });

  it('has the rate in questions and the time left, over the time that it was worked on', () => {
    expect(phaseProgressText(aProgress({ done: 5, workedSeconds: 10 }))).toBe(
      '160 of 320 questions, 16 questions/s, about 10 s left',
    );
    expect(phaseProgressText(aProgress({ done: 5, workedSeconds: 0 }))).toBe('160 of 320 questions');
  });

  it('has no time left while it is paused, nor when it is done', () => {
    const paused = aProgress({ done: 5, workedSeconds: 10, state: 'paused' });
    expect(phaseProgressText(paused)).toBe('160 of 320 questions, 16 questions/s');
    expect(phaseProgressText(aProgress({ done: 10, workedSeconds: 10 }))).toBe(
      '320 of 320 questions, 32 questions/s',
    );
  });

  it('has its place in the experiment, and the state unless it runs', () => {
    expect(whereText(aProgress())).toBe('iteration 1 of 3: debating');
    expect(whereText(aProgress({ iteration: 0, phase: 'evaluating', state: 'paused' }))).toBe(
      'base model: evaluating (paused)',
    );
  });
});

const evaluation = {
  iteration: 0,
  questions: 500,
  single: { accuracy: 0.6, standardError: 0.01 },
  majority: { accuracy: 0.7, standardError: 0.02 },
  debate: { accuracy: 0.75, standardError: 0.02 },
  debateVersusBase: { wins: 0, losses: 0, pValue: 1 },
  cutOff: noneCutOff,
};
const snapshot = (progress: Partial<Progress>, pending: Snapshot['pending'] = []) => ({
  pending,
  progress: aProgress(progress),
});

describe('the news about an experiment', () => {
  it('has each evaluation once', () => {
    const news = createNews();
    const now = snapshot({ evaluations: [evaluation] });
    expect(news(now)).toEqual(['base: single 60.0 %, majority 70.0 %, debate 75.0 % (± 2.0)']);
    expect(news({ ...now, progress: null })).toEqual([]);
    expect(news(now)).toEqual([]);
  });

  it('has nothing of steps that a stopped worker gave back', () => {
    const lastFailure = 'WorkerShutdown: WorkerShutdown';
    const given = {
      id: 'debate-1',
      words: 'a step',
      attempt: 3,
      lastFailure,
      nextAttemptAt: undefined,
      heartbeat: undefined,
    };
    expect(createNews()(snapshot({}, [given]))).toEqual([]);
  });

  it('has each new attempt of a step once, with the first line of its reason made safe', () => {
    const now = snapshot({}, [
      {
        id: 'debate-1',
        words: 'a step',
        attempt: 2,
        lastFailure: 'refused\u001b[2J\nmore',
        nextAttemptAt: undefined,
        heartbeat: undefined,
      },
      {
        id: 'debate-2',
        words: 'a step',
        attempt: 1,
        lastFailure: undefined,
        nextAttemptAt: undefined,
        heartbeat: undefined,
      },
    ]);
    const news = createNews();
    expect(news({ ...now, progress: null })).toEqual([
      String.raw`debate-1: attempt 2, because: refused\x1b[2J`,
    ]);
    expect(news(now)).toEqual([]);
  });

  it('has one line for all steps that fail for one reason, and one more for their next attempt', () => {
    const failing = (attempt: number) =>
      Array.from({ length: 28 }, (_, shard) => ({
        id: `debate-i0-train-s${shard}`,
        words: 'a step',
        attempt,
        lastFailure: `EngineFailed: http://gpu:8000 failed with status 500. Question train-${shard}, agent 2`,
        nextAttemptAt: undefined,
        heartbeat: undefined,
      }));
    const news = createNews();
    const line = (attempt: number) =>
      `debate-i0-train-s0 and 27 more: attempt ${attempt}, because: EngineFailed: http://gpu:8000 failed with status 500. Question train-0, agent 2`;
    expect(news(snapshot({}, failing(2)))).toEqual([line(2)]);
    expect(news(snapshot({}, failing(2).slice(5)))).toEqual([]);
    expect(news(snapshot({}, [...failing(2).slice(1), ...failing(3).slice(0, 1)]))).toHaveLength(1);
  });

  it('has one line for a server that gives no answer, with how long it is waited for', () => {
    const waiting = Array.from({ length: 28 }, (_, shard) => ({
      id: `debate-i0-train-s${shard}`,
      words: 'a step',
      attempt: 1,
      lastFailure: undefined,
      nextAttemptAt: undefined,
      heartbeat: undefined,
      noAnswer: {
        url: 'http://gpu:8000/v1',
        reason: 'ECONNREFUSED',
        since: '2026-11-28T17:02:00.000Z',
        until: '2026-11-28T19:02:00.000Z',
      },
    }));
    const news = createNews();
    expect(news(snapshot({}, waiting))).toEqual([
      'No answer from http://gpu:8000/v1 since 2026-11-28 17:02 UTC (ECONNREFUSED). What needs it waits until ' +
        '2026-11-28 19:02 UTC and goes on when it answers; now that is 28 steps.',
    ]);
    expect(news(snapshot({}, waiting))).toEqual([]);
  });

  it('has one line for the steps that wait for a fine-tune', () => {
    const waiting = ['prepare', 'debate-i0-train-s0'].map((id) => ({
      id,
      words: 'a step',
      attempt: 1,
      lastFailure: undefined,
      nextAttemptAt: undefined,
      heartbeat: undefined,
      fineTuneHasDeviceSince: '2026-11-28T17:02:00.000Z',
    }));
    const news = createNews();
    expect(news(snapshot({}, waiting))).toEqual([
      "prepare and 1 more: since 2026-11-28 17:02 UTC it waits because a fine-tune has the worker's device, on which its endpoint answers",
    ]);
  });

  it('has one line for each state of a fine-tune that waits at the machine that trains', () => {
    const pendingJob = (state: string) => [
      {
        id: 'fine-tune-i1-a1-generation',
        words: 'a step',
        attempt: 1,
        lastFailure: undefined,
        nextAttemptAt: undefined,
        ...shownBy(
          defaultPayloadConverter.toPayload(
            shown({
              event: 'waiting',
              job: 'ftjob-1',
              state,
              since: new Date('2026-11-28T17:02:00.000Z'),
              until: new Date('2026-11-29T17:02:00.000Z'),
            }),
          ),
        ),
      },
    ];
    const news = createNews();
    expect(news(snapshot({}, pendingJob('validating_files')))).toHaveLength(1);
    expect(news(snapshot({}, pendingJob('queued')))).toEqual([
      'fine-tune-i1-a1-generation: job ftjob-1: queued since 2026-11-28 17:02 UTC, waited for until 2026-11-29 17:02 UTC',
    ]);
    expect(news(snapshot({}, pendingJob('queued')))).toEqual([]);
  });

  it('says how to go on after a pause', () => {
    const news = createNews();
    const paused = snapshot({ state: 'paused' });
    expect(news(paused)).toEqual(['Paused. To go on: colloquy resume demo']);
    expect(news(paused)).toEqual([]);
    expect([...news(snapshot({})), ...news(paused)]).toHaveLength(1);
  });
});
