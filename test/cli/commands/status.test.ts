import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowExecutionInfo } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { listAll, matches } from '../../../src/cli/experiment/progress.ts';
import { statusText } from '../../../src/cli/commands/status.ts';
import { failureText, type PendingActivity, type Snapshot } from '../../../src/cli/experiment/snapshot.ts';
import type { Temporal } from '../../../src/cli/server/connect.ts';
import { searchAttributes } from '../../../src/workflows/track-progress.ts';
import { writeFinishedExperiment } from '../../report/finished-experiment.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { aProgress } from '../../support/a-progress.ts';

const now = Date.parse('2026-11-23T00:00:10.000Z');
const step = (changes: Partial<PendingActivity>): PendingActivity => ({
  id: 'debate-i1-train-s003',
  words: 'the debates of shard 4 of the training questions, iteration 1',
  attempt: 1,
  lastFailure: undefined,
  nextAttemptAt: undefined,
  heartbeat: undefined,
  ...changes,
});
const text = (changes: Parameters<typeof aProgress>[0], pending: Snapshot['pending'] = []): string =>
  statusText({ pending, progress: aProgress(changes) }, { now, colours: false });

describe('the status of an experiment', () => {
  it('counts the answers of the shards in flight, and the time since the last of them ended', () => {
    const halfDone = step({ heartbeat: { answers: 96, total: 192 } });
    const status = text({ done: 4, workedSeconds: 8, retries: 1 }, [halfDone]);
    expect(status).toMatch(/done +144 of 320 questions \(4 of 10 shards\)/);
    expect(status).toMatch(/rate +8\.0 questions\/s/);
    expect(status).toMatch(/time left +about 22 s/);
    expect(status).toContain('96 of 192 answers');
  });

  it('shows a step that is tried again: which attempt, when, and why the one before failed', () => {
    const again = step({
      attempt: 3,
      lastFailure: failureText({
        message: 'http://127.0.0.1:9 refused\nthe connection \u001b[2J',
        applicationFailureInfo: { type: 'EngineUnreachable' },
      }),
      nextAttemptAt: new Date(now + 4_000),
    });
    const status = text({ retries: 1 }, [step({ id: 'debate-i1-train-s004' }), again]);
    expect(status).toMatch(/retries +3/);
    expect(status).toContain(
      String.raw`the debates of shard 4 of the training questions, iteration 1 (debate-i1-train-s003); ` +
        String.raw`attempt 3 in 4.0 s; the one before failed: EngineUnreachable: http://127.0.0.1:9 refused the connection \x1b[2J`,
    );
  });

  it('shows once what makes many steps fail', () => {
    const failing = Array.from({ length: 64 }, (_, shard) =>
      step({ id: `debate-i1-train-s${shard}`, attempt: 2, lastFailure: 'EngineBusy: full' }),
    );
    const status = text({}, failing);
    expect(status.split('EngineBusy: full')).toHaveLength(2);
    expect(status).toContain('(debate-i1-train-s0) and 63 more; attempt 2');
    expect(status).toMatch(/retries +64/);
  });

  it('shows for a worker that died what happened, not only which timeout passed', () => {
    expect(
      failureText({ message: 'activity Heartbeat timeout', timeoutFailureInfo: { timeoutType: 4 } }),
    ).toMatch(/no sign of life for 20 s/);
  });

  it('has the loss of the fine-tune that runs, and of the newest finished one while none does', () => {
    const lastLoss = { loss: 0.5, iteration: 1, agent: 1, role: 'generation' } as const;
    const fineTuning = { phase: 'fine-tuning', unit: 'models', total: 6, questions: 0, lastLoss } as const;
    const running = step({
      id: 'finetune-i2-agent3-critic',
      heartbeat: {
        step: 3,
        totalSteps: 9,
        loss: 0.25,
        tokensPerSecond: 1000,
        iteration: 2,
        agent: 3,
        role: 'critic',
      },
    });
    expect(text(fineTuning)).toMatch(/last loss +0\.500 \(generation model of agent 1, iteration 1\)/);
    expect(text(fineTuning, [running])).toMatch(/last loss +0\.250 \(critic model of agent 3, iteration 2\)/);
  });

  it('says of a step that an operator has paused who did it, and what lets it go on', () => {
    const status = text({}, [
      step({ pausedBy: 'ann@desk: GPU is needed' }),
      step({ id: 'debate-i1-train-s004' }),
    ]);
    expect(status).toMatch(/waits for a person +yes: a step is paused by an operator/);
    expect(status).toContain('(debate-i1-train-s003), by ann@desk: GPU is needed');
    expect(status).toContain('temporal activity unpause -w demo -a debate-i1-train-s003');
    expect(status.split('In flight:')[1]).not.toContain('s003');
  });

  it('shows that a step waits for a fine-tune, and for which server', () => {
    const since = '2026-11-23T00:00:00.000Z';
    const noAnswer = { url: 'http://gpu/v1', reason: 'ECONNREFUSED', since, until: since };
    expect(text({}, [step({ fineTuneHasDeviceSince: since, noAnswer })])).toMatch(
      /since 2026-11-23 00:00 UTC it waits because a fine-tune has the worker's device.*; no answer from http:\/\/gpu\/v1 since/,
    );
  });

  it('shows that a fine-tune waits at the machine that trains, and until when it is waited for', () => {
    const waits = {
      job: 'ftjob-1',
      state: 'queued',
      since: '2026-11-23T00:00:00.000Z',
      until: '2026-11-24T00:00:00.000Z',
    };
    expect(text({}, [step({ waits })])).toContain(
      'job ftjob-1: queued since 2026-11-23 00:00 UTC, waited for until 2026-11-24 00:00 UTC',
    );
  });

  it('says of a parked one what happened and both ways to go on', () => {
    const waiting = [
      { step: 'prepare', words: 'the preparation', reason: 'DiskFull: no space on /runs', since: 'now' },
    ];
    const status = text({ state: 'parked', waiting });
    expect(status).toContain('  | DiskFull: no space on /runs');
    expect(status).toContain('  colloquy retry demo');
    expect(status).toContain('  temporal workflow update execute -w demo --name retry');
  });
});

it.each([
  ['parked', ['b', 'Night-parked']],
  ['PARKED', ['b', 'Night-parked']],
  ['night', ['Night-parked']],
  ['study', ['table']],
  ['run', ['a']],
  ['', ['a', 'b', 'table', 'Night-parked']],
  ['debating', []],
])('the list filtered by %j has those whose name, kind or state contains it', (filter, names) => {
  const listed = [
    { name: 'a', kind: 'experiment', status: 'running' },
    { name: 'b', kind: 'experiment', status: 'parked' },
    { name: 'table', kind: 'study', status: 'completed' },
    { name: 'Night-parked', kind: 'experiment', status: 'failed' },
  ];
  expect(listed.filter((each) => matches(each, filter)).map(({ name }) => name)).toEqual(names);
});

describe('the accuracy of an experiment in the list', () => {
  const run = (workflowId: string, more: Partial<WorkflowExecutionInfo>, name = 'COMPLETED') =>
    ({
      workflowId,
      type: 'experiment',
      status: { name },
      startTime: new Date(now),
      typedSearchAttributes: new TypedSearchAttributes(),
      ...more,
    }) as WorkflowExecutionInfo;
  const withAttribute = (value: number) =>
    new TypedSearchAttributes([{ key: searchAttributes.accuracy, value }]);
  const serverWith = (...runs: readonly WorkflowExecutionInfo[]): Temporal => {
    const list = async function* () {
      yield* runs;
    };
    return { client: { workflow: { list } } } as unknown as Temporal;
  };

  it('is the one on the server; the result in the store is read only for a run that has none there', async () => {
    const store = temporaryFolder();
    vi.stubEnv('COLLOQUY_STORE', store);
    await writeFinishedExperiment(join(store, 'older'), { name: 'older', questions: 96, iterations: 1 });
    await writeFinishedExperiment(join(store, 'newer'), { name: 'newer', questions: 96, iterations: 1 });
    const server = serverWith(
      run('newer', { typedSearchAttributes: withAttribute(0.125) }),
      run('noted', { memo: { accuracy: 0.25 } }),
      run('zero', { typedSearchAttributes: withAttribute(0) }),
      run('failed', { memo: { accuracy: 0.5 } }, 'FAILED'),
      run('older', { memo: { method: 'debate' } }),
      run('elsewhere', {}),
    );
    const accuracies = async () =>
      Object.fromEntries((await listAll(server)).map(({ name, accuracy }) => [name, accuracy]));
    const first = await accuracies();
    expect(first).toEqual({
      newer: 0.125,
      noted: 0.25,
      zero: 0,
      failed: 0.5,
      older: expect.any(Number),
      elsewhere: null,
    });
    rmSync(store, { recursive: true });
    expect(await accuracies()).toEqual({ ...first, older: null });
    vi.unstubAllEnvs();
  });
});
