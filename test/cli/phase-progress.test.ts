import { describe, expect, it } from 'vitest';
import { phaseProgress } from '../../src/cli/phase-progress.ts';
import type { PendingActivity } from '../../src/cli/snapshot.ts';
import { aProgress as progress } from '../support/a-progress.ts';

const pending = (heartbeat?: PendingActivity['heartbeat']): PendingActivity => ({
  id: 'debate-i1-train-s003',
  words: 'a step',
  attempt: 1,
  lastFailure: undefined,
  nextAttemptAt: undefined,
  heartbeat,
});

describe('the progress of a phase', () => {
  it('tells shards as questions and counts the answers of shards in flight', () => {
    const inFlight = [pending({ answers: 96, total: 192 }), pending({ answers: 48, total: 192 }), pending()];
    expect(phaseProgress(progress({ done: 4 }), inFlight)).toEqual({
      fraction: 0.475,
      done: 152,
      total: 320,
      unit: 'questions',
    });
  });

  it('counts the steps of a fine-tune in flight', () => {
    const fineTune = pending({ step: 10, totalSteps: 40, loss: 0.4, tokensPerSecond: 2000 });
    const { fraction, done, unit } = phaseProgress(
      progress({ phase: 'fine-tuning', unit: 'models', done: 1, total: 6, questions: 0 }),
      [fineTune],
    );
    expect({ fraction, done, unit }).toEqual({ fraction: 1.25 / 6, done: 1, unit: 'models' });
  });

  it('is never done before the last step is, nor more than done', () => {
    const almost = [pending({ answers: 192, total: 192 })];
    expect(phaseProgress(progress({ done: 9 }), almost).fraction).toBeLessThan(1);
    expect(phaseProgress(progress({ done: 10 }), almost).fraction).toBe(1);
  });

  it('is nothing, and no error, for a phase without steps', () => {
    expect(phaseProgress(progress({ total: 0, unit: 'steps', questions: 0 }), []).fraction).toBe(0);
  });
});
