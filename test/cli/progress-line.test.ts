import { describe, expect, it } from 'vitest';
import { lineText, progressLine, smoothedTimeLeft } from '../../src/cli/display.ts';

const parts = {
  label: 'iteration 2 of 3: building datasets',
  shortLabel: '2/3: building datasets',
  fraction: 0.45,
  text: '1,440 of 3,200 questions, 8.0 questions/s, about 3 min 45 s left',
  shortText: '1440/3200, 3 min 45 s left',
};

describe('the line of a progress bar', () => {
  it.each([20, 40, 60, 80, 120, 200])('fits into %i columns', (columns) => {
    expect(lineText(progressLine(columns, parts)).length).toBeLessThan(columns);
  });

  it('has all that there is room for', () => {
    expect(lineText(progressLine(140, parts))).toBe(
      'iteration 2 of 3: building datasets ━━━━━━━╌╌╌╌╌╌╌╌╌  45 % 1,440 of 3,200 questions, 8.0 questions/s, about 3 min 45 s left',
    );
    expect(lineText(progressLine(80, parts))).toBe(
      '2/3: building datasets ━━━━━╌╌╌╌╌  45 % 1440/3200, 3 min 45 s left',
    );
    expect(lineText(progressLine(60, parts))).toBe('2/3: building datasets  45 % 1440/3200, 3 min 45 s left');
  });
});

describe('the time left', () => {
  it('runs down with the clock, and goes to a new estimate little by little', () => {
    const left = smoothedTimeLeft();
    expect(left('debating', 100, 0)).toBe('1 min 45 s');
    expect(left('debating', 99, 1_000)).toBe('1 min 45 s');
    // A shard that takes long doubles the estimate for a moment.
    expect(left('debating', 200, 2_000)).toBe('2 min 00 s');
    // It is 107.7 s then, and runs down from there: 106.7 s, of which the way to 97 s is gone by a tenth.
    expect(left('debating', 97, 3_000)).toBe('2 min 00 s');
    expect(left('debating', 96, 4_000)).toBe('1 min 45 s');
  });

  it('begins afresh in a new phase, and is not known before a step is done', () => {
    const left = smoothedTimeLeft();
    left('debating', 1_000, 0);
    expect(left('fine-tuning', 8, 1_000)).toBe('8 s');
    expect(left('fine-tuning', undefined, 2_000)).toBeUndefined();
    expect(left('fine-tuning', 33, 3_000)).toBe('35 s');
  });
});
