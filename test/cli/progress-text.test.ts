import { describe, expect, it } from 'vitest';
import { createNews, phaseText } from '../../src/cli/progress-text.ts';
import type { Snapshot } from '../../src/cli/snapshot.ts';
import type { Progress } from '../../src/workflows/progress.ts';
import { aProgress } from '../support/a-progress.ts';

const evaluation = {
  iteration: 0,
  questions: 500,
  single: { accuracy: 0.6, standardError: 0.01 },
  majority: { accuracy: 0.7, standardError: 0.02 },
  debate: { accuracy: 0.75, standardError: 0.02 },
  debateVersusBase: { wins: 0, losses: 0, pValue: 1 },
};
const snapshot = (progress: Partial<Progress>, pending: Snapshot['pending'] = []): Snapshot => ({
  status: 'RUNNING',
  startedAt: new Date(0),
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

  it('says how to go on after a pause', () => {
    const news = createNews();
    const paused = snapshot({ state: 'paused' });
    expect(news(paused)).toEqual(['Paused. To go on: colloquy resume demo']);
    expect(news(paused)).toEqual([]);
    expect([...news(snapshot({})), ...news(paused)]).toHaveLength(1);
  });
});

describe('the text of a phase', () => {
  it('has the rate in questions and the time left', () => {
    const phase = { fraction: 0.5, done: 160, total: 320, unit: 'questions' } as const;
    expect(phaseText(phase, 0.05)).toBe('160/320 questions, 16/s, 10 s left');
    expect(phaseText(phase, undefined)).toBe('160/320 questions');
  });
});
