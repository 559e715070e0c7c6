/** `colloquy study` and what is said of studies, with a real server and a worker in this process. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect, type Temporal } from '../../src/cli/server/connect.ts';
import type { Display } from '../../src/cli/display.ts';
import { followStudy } from '../../src/cli/study/follow.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { startExperiment } from '../../src/cli/experiment/run.ts';
import { startStudy, StudyHasOtherConfig } from '../../src/cli/commands/study.ts';
import { OtherKind, sendUpdate } from '../../src/cli/server/workflow.ts';
import { abortUpdate, pauseUpdate } from '../../src/workflows/progress.ts';
import { studyProgressQuery } from '../../src/workflows/study-progress.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import { until } from '../support/until.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';
import { colloquy } from './colloquy.ts';

const settings = { ...smallExperiment, iterations: 1 };
const study = (input: object) => ({ settings, experiments: [{ name: 'sums' }], ...input });

describe('a study on the command line', { timeout: 60_000 }, () => {
  let rig: WorkflowRig;
  let temporal: Temporal;
  beforeAll(async () => {
    rig = await workflowRig('cli-study');
    vi.stubEnv('COLLOQUY_STORE', rig.storeRoot);
    temporal = await connect();
  });
  afterAll(async () => {
    await temporal.close();
    await rig[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
  });

  const said: string[] = [];
  const display: Display = { show: () => undefined, say: (line) => said.push(line), stop: () => undefined };
  const follow = (name: string) =>
    followStudy(temporal, name, { display, signal: AbortSignal.timeout(50_000) });
  const held = () => rig.engine.tell({ hold: { round: 1 } });
  const underWay = () => until('an experiment is under way', async () => (await rig.engine.state()).held > 0);

  it('is followed to its end', async () => {
    expect(await startStudy(temporal, 'whole', study({ methods: ['base'] }))).toBe('started');
    expect(await follow('whole')).toMatchObject({ kind: 'finished', result: { finished: 1 } });
    expect(said).toContain('1 of 1 experiments finished');
  });

  it('is attached to when it runs with the same settings, and with others refused, which are named', async () => {
    await held();
    await startStudy(temporal, 'runs', study({ methods: ['base'] }));
    await underWay();
    expect(await startStudy(temporal, 'runs', study({ methods: ['base'], seeds: [0] }))).toBe('attached');
    const other = study({
      methods: ['base', 'debate'],
      settings: { ...settings, sampling: { temperature: 0.1 } },
    });
    const refused = startStudy(temporal, 'runs', other);
    await expect(refused).rejects.toThrow(StudyHasOtherConfig);
    await expect(refused).rejects.toThrow('runs-sums-debate-s0: here alone');
    await expect(refused).rejects.toThrow('runs-sums-base-s0: sampling.temperature: 1 there, 0.1 here');
    await rig.engine.tell({ release: true });
    await temporal.client.workflow.getHandle('runs').result();
  });

  it('and an experiment cannot have the same name', async () => {
    await held();
    await startStudy(temporal, 'taken', study({ methods: ['base'] }));
    await underWay();
    const input = { ...smallExperiment };
    const named = { name: 'taken', input, config: resolveConfig(input) };
    await expect(startExperiment(temporal, named)).rejects.toThrow('"taken" is a study, not an experiment');
    await expect(
      sendUpdate(temporal, 'taken', (handle) => handle.executeUpdate(pauseUpdate)),
    ).rejects.toThrow(OtherKind);
    await expect(startStudy(temporal, 'taken-sums-base-s0', study({ methods: ['base'] }))).rejects.toThrow(
      'is an experiment, not a study',
    );
    await rig.engine.tell({ release: true });
    await temporal.client.workflow.getHandle('taken').result();
  });

  it('ends to be followed when all that runs waits for a person, and says what goes on', async () => {
    await rig.engine.answerWith(403);
    await startStudy(temporal, 'waits', study({ methods: ['base', 'debate', 'majority'], parallel: 2 }));
    const ending = await follow('waits');
    expect(ending).toMatchObject({ kind: 'parked' });
    expect(said.join('\n')).toMatch(/waits for you: .*403[^]*colloquy retry waits-sums-base-s0/);
    expect(await colloquy('status')).toMatchObject({
      out: expect.stringMatching(/waits-sums-base-s0 .*parked/),
    });
    await rig.engine.answerWith(200);
    for (const name of ['waits-sums-base-s0', 'waits-sums-debate-s0']) {
      const child = temporal.client.workflow.getHandle(name);
      const aborted = child.executeUpdate(abortUpdate, { args: [{ not: 'a text' } as never] });
      await expect(aborted).rejects.toThrow();
      await child.executeUpdate(abortUpdate, { args: ['\u001B[31mfor the test'] });
    }
    expect(await follow('waits')).toMatchObject({ kind: 'failed', type: 'StudyIncomplete' });
    // What a person or a server wrote moves no cursor.
    expect(said.join('\n')).toContain(String.raw`Aborted: \x1b[31mfor the test`);
    const status = await colloquy('status', 'waits');
    expect(status.out).toMatch(/waits.*: failed, 1 of 3 experiments finished/);
    expect(status.out).toContain("StudyIncomplete: 2 of the study's experiments failed");
  });

  it('says of an experiment that was cancelled that it was', async () => {
    await held();
    await startStudy(temporal, 'cell', study({ methods: ['base'] }));
    await underWay();
    await temporal.client.workflow.getHandle('cell-sums-base-s0').cancel();
    await rig.engine.tell({ release: true });
    await temporal.client.workflow
      .getHandle('cell')
      .result()
      .catch(() => undefined);
    const { cells } = await temporal.client.workflow.getHandle('cell').query(studyProgressQuery);
    expect(cells).toMatchObject([{ state: 'failed', reason: 'It was cancelled.' }]);
  });

  it('is shown as terminated when it was', async () => {
    await held();
    await startStudy(temporal, 'gone', study({ methods: ['base'] }));
    await underWay();
    await temporal.client.workflow.getHandle('gone').terminate('for the test');
    await rig.engine.tell({ release: true });
    await temporal.client.workflow
      .getHandle('gone-sums-base-s0')
      .result()
      .catch(() => undefined);
    const { out } = await colloquy('status', 'gone');
    expect(out).toMatch(/gone.*: terminated, 0 of 1 experiments finished/);
    expect(out).toContain('What is finished stays');
  });
});
