import { describe, expect, it } from 'vitest';
import { tableFor } from '../../src/cli/terminal.ts';

const head = ['experiment', 'state', 'where', 'accuracy', 'kind', 'latest run began', 'ended'];
const rows = [
  [
    'nightly-2026-11-24T03:30:00Z',
    'running',
    'iteration 2 of 3: fine-tuning',
    '91.4 %',
    'experiment',
    '2026-11-24 03:30',
    '',
  ],
];
const widest = (columns: number) =>
  Math.max(
    ...tableFor(columns, head, rows)
      .split('\n')
      .map((line) => line.length),
  );

describe('a table in a terminal', () => {
  it.each([60, 80, 120])('fits into %i columns', (columns) => {
    expect(widest(columns)).toBeLessThanOrEqual(columns);
  });

  it('leaves out the last columns first, and shortens the first one only when that is not enough', () => {
    expect(tableFor(120, head, rows)).toContain('experiment');
    expect(tableFor(80, head, rows)).toContain('nightly-2026-11-24T03:30:00Z');
    expect(tableFor(80, head, rows)).not.toContain('2026-11-24 03:30');
    expect(tableFor(36, head, rows)).toContain('nightly-');
    expect(tableFor(36, head, rows)).toContain('running');
  });

  it('is whole in a file or a pipe', () => {
    expect(tableFor(Infinity, head, rows)).toContain('2026-11-24 03:30');
  });
});
