import { describe, expect, it } from 'vitest';
import { gibibytes } from '../../src/text/figures.ts';

describe('bytes in GiB', () => {
  it('have one decimal, and never become nothing where there is something', () => {
    expect([17.24 * 2 ** 30, 0.05 * 2 ** 30, 4_000_000, 1_000, 0].map(gibibytes)).toEqual([
      '17.2',
      '0.1',
      '0.004',
      '0.001',
      '0.0',
    ]);
  });
});
