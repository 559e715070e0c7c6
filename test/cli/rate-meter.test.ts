import { describe, expect, it } from 'vitest';
import { createRateMeter } from '../../src/cli/rate-meter.ts';

describe('the rate meter', () => {
  it('knows nothing before two looks that are some way apart', () => {
    const meter = createRateMeter();
    expect(meter.perSecond()).toBeUndefined();
    meter.note(0, 0);
    meter.note(1000, 5);
    expect(meter.perSecond()).toBeUndefined();
  });

  it('tells the rate over its window and forgets what is older', () => {
    const meter = createRateMeter(10_000);
    meter.note(0, 0);
    meter.note(5_000, 1_000);
    meter.note(14_000, 1_090);
    expect(meter.perSecond()).toBe(10);
  });

  it('begins anew when the value falls, and has no rate while nothing moves', () => {
    const meter = createRateMeter();
    meter.note(0, 100);
    meter.note(4_000, 3);
    meter.note(8_000, 3);
    expect(meter.perSecond()).toBeUndefined();
  });
});
