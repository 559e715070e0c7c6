import { readFile } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { debate } from '../../../src/activities/steps/debate.ts';
import { experimentFiles } from '../../../src/store/store.ts';
import { activityEnvironment, beatsOf, runStep } from '../../support/run-step.ts';
import { type StepsOfAnExperiment, stepsOfAnExperiment } from '../../support/steps-of-an-experiment.ts';
import { inFlight } from '../../support/test-dependencies.ts';
import { until } from '../../support/until.ts';

/** Eight questions, three agents, two rounds. */
const answersOfAShard = 8 * 3 * 2;

describe('the debates of a shard, as an activity,', () => {
  let steps: StepsOfAnExperiment;
  beforeEach(async () => {
    steps = await stepsOfAnExperiment();
  });
  afterEach(() => steps[Symbol.asyncDispose]());

  /** Begins an attempt and cancels it when the engine has given `after` answers and the others wait. */
  async function cancelledAfter(after: number): Promise<object[]> {
    const environment = activityEnvironment();
    const beats = beatsOf(environment);
    await steps.engine.tell({ hold: { after } });
    const result = runStep(debate, steps.shard(0), steps.dependencies, environment);
    const ended = result.catch((error: unknown) => error);
    await until('what was answered is shown', () =>
      JSON.stringify(beats.at(-1)).includes(`"answers":${after}`),
    );
    environment.cancel();
    expect(await ended).toBeInstanceOf(CancelledFailure);
    await steps.engine.tell({ release: true });
    return beats;
  }

  it('show in their heartbeats how many answers there are, of how many', async () => {
    const beats = await cancelledAfter(20);
    expect(beats.at(-1)).toMatchObject({ answers: 20, total: answersOfAShard });
  });

  it('stop when they are cancelled, and the next attempt asks only for what is missing', async () => {
    const beats = await cancelledAfter(20);
    const before = (await steps.engine.state()).answered;
    const next = activityEnvironment({ attempt: 2, heartbeatDetails: beats.at(-1) });
    const { consensus } = await runStep(debate, steps.shard(0), steps.dependencies, next);
    expect(consensus.questions).toBe(8);
    const asked = (await steps.engine.state()).answered - before;
    expect(asked).toBeGreaterThanOrEqual(answersOfAShard - 20 - inFlight);
    expect(asked).toBeLessThanOrEqual(answersOfAShard - 20);
  });

  it('believe what is on disk, and not the details of an earlier attempt', async () => {
    const file = experimentFiles(steps.dependencies.store, 'steps').shard(1, 'train', 0);
    const heartbeatDetails = { answers: answersOfAShard, total: answersOfAShard };
    const environment = activityEnvironment({ attempt: 2, heartbeatDetails });
    await runStep(debate, steps.shard(0), steps.dependencies, environment);
    expect((await steps.engine.state()).answered).toBe(answersOfAShard);
    expect((await readFile(file.where, 'utf8')).trim().split('\n')).toHaveLength(8);
  });

  it('are not begun again once they are finished', async () => {
    const first = await runStep(debate, steps.shard(0), steps.dependencies);
    const before = (await steps.engine.state()).answered;
    expect(await runStep(debate, steps.shard(0), steps.dependencies)).toEqual(first);
    expect((await steps.engine.state()).answered).toBe(before);
  });
});
