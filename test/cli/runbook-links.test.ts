import { expect, it } from 'vitest';
import { runbookEntries, runbookEntriesOf } from '../../src/cli/terminal.ts';
import type { Waiting } from '../../src/workflows/progress.ts';

it('an error links to its entry in the runbook, each once, and one without an entry to none', () => {
  expect(runbookEntries(['DiskFull', 'DiskFull', 'WorkerShutdown', 'ClaimLost'])).toEqual([
    'What to do: docs/runbook.md#diskfull',
    'What to do: docs/runbook.md#claimlost',
  ]);
});

it('steps that wait link to the entries of their errors', () => {
  const waiting = ['ApiKeyMissing: no variable KEY', 'Error: what no class has', 'It was cancelled.'].map(
    (reason, at): Waiting => ({ step: `s${at}`, words: 'a step', reason, since: '2026-11-29T12:00:00Z' }),
  );
  expect(runbookEntriesOf({ waiting })).toEqual(['What to do: docs/runbook.md#apikeymissing']);
});
