/** One model out of a group, from the debates to its evaluation, with the instant engine and trainer. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { experimentResultSchema } from '../../src/store/records/result.ts';
import { pauseUpdate, progressQuery, resumeUpdate } from '../../src/workflows/progress.ts';
import { openWorld } from '../faults/world.ts';
import { startTestServer } from '../faults/test-server.ts';
import { until } from '../support/until.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

describe('an experiment that is distilled into one model', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('distilled');
  }, 120_000);
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });
  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');

  it('has a model that learnt from all agents’ answers of the last iteration, and answers alone for fewer tokens', async () => {
    const handle = await rig.start('one', { iterations: 2, distill: {} });
    const result = await handle.result();
    const { distilled } = result;
    const { dataset, fineTune, evaluation } = distilled!;
    expect(distilled).toMatchObject({ iteration: 2, from: 'debate', objective: 'imitation' });
    expect(dataset).toMatchObject({ agents: [1, 2, 3], role: 'distilled', rows: fineTune.rows });
    const rows = (await file('one', 'iteration-2', 'datasets', 'distilled.jsonl')).trim().split('\n');
    expect(rows).toHaveLength(dataset.rows);
    // Its training started at the base model.
    const manifest = await file('models', fineTune.model!, 'manifest.json');
    expect(JSON.parse(manifest)).toMatchObject({ init_model: null, dataset: { rows: dataset.rows } });
    expect(evaluation).toMatchObject({ questions: 16, debate: result.evaluations[2]!.debate });
    // One request for each question, where a debate of three has nine (or six, without summaries).
    const each = ({ prompt, completion }: { prompt: number; completion: number }) => prompt + completion;
    expect(each(evaluation!.tokens)).toBeLessThan(each(evaluation!.debateTokens) / 6);
    expect(experimentResultSchema.parse(JSON.parse(await file('one', 'result.json')))).toEqual(result);
    const { distilled: said, table } = await handle.query(progressQuery);
    expect(said).toMatch(/^one model: .* % of the held-out questions at \d+ tokens an answer; the debate /);
    expect(table.distilled).toBe(said);
    expect(await file('one', 'report.html')).toContain('One model');
  });

  it('leaves everything else of the experiment as it is without the setting', async () => {
    const settings = { iterations: 1, seed: 4 };
    const { distilled, ...result } = await (await rig.start('with', { ...settings, distill: {} })).result();
    const plain = await (await rig.start('without', settings)).result();
    expect(distilled).toBeDefined();
    expect(plain).not.toHaveProperty('distilled');
    const { evaluations, iterations, tokens } = plain;
    expect(result).toMatchObject({ evaluations, iterations, tokens });
    expect(JSON.parse(await file('without', 'config.json'))).not.toHaveProperty('distill');
  });

  it('learns from the best agent alone by pairs, where the config says so', async () => {
    const settings = { distill: { from: 'best', objective: 'kto' }, min_pairs: 1 };
    const { distilled } = await (await rig.start('best', settings)).result();
    const { agreed, dataset, labelled } = distilled!;
    const best = agreed.indexOf(Math.max(...agreed)) + 1;
    expect(dataset).toMatchObject({ agents: [best], objective: 'kto' });
    expect(dataset.rows).toBe(2 * dataset.parts['pairs']!.used);
    expect(agreed.every((each) => each <= labelled)).toBe(true);
  });

  it('has no model where nothing could be learnt from, and says so', async () => {
    await rig.engine.answerRightly(0);
    const settings = { distill: { objective: 'dpo' }, min_pairs: 1, min_votes: 3 };
    const handle = await rig.start('nothing', settings);
    const { distilled, warnings } = await handle.result();
    await rig.engine.answerRightly(0.55);
    expect(distilled).toMatchObject({ fineTune: { model: null }, evaluation: null });
    expect(warnings.find(({ kind }) => kind === 'distilled')?.says).toMatch(
      /^No model was distilled from the group: no training question/,
    );
    expect((await handle.query(progressQuery)).distilled).toMatch(/^no model/);
    expect(await file('nothing', 'report.html')).toContain('There is no such model');
  });

  it('makes a damaged model again, with the same answers', async () => {
    const settings = { seed: 12, distill: {} };
    const whole = await (await rig.start('undisturbed', settings)).result();
    await writeFile(
      join(rig.storeRoot, 'models', whole.distilled!.fineTune.model!, 'adapter_model.safetensors'),
      'garbage',
    );
    const handle = await rig.start('disturbed', settings);
    const { distilled } = await handle.result();
    expect({ ...distilled, seconds: null, evaluation: { ...distilled!.evaluation, seconds: null } }).toEqual({
      ...whole.distilled,
      seconds: null,
      evaluation: { ...whole.distilled!.evaluation, seconds: null },
    });
    const { model } = whole.distilled!.fineTune;
    expect(existsSync(join(rig.storeRoot, 'models', `${model}.damaged-1`))).toBe(true);
  });

  it('goes on with more iterations, and is then distilled from the debates of the new last one', async () => {
    const { distilled: before } = await (await rig.start('further', { distill: {} })).result();
    const { distilled: after } = await (await rig.start('further', { distill: {}, iterations: 2 })).result();
    expect([before!.iteration, after!.iteration]).toEqual([1, 2]);
    expect(after!.fineTune.model).not.toBe(before!.fineTune.model);
    expect(existsSync(join(rig.storeRoot, 'further', 'iteration-1', 'distilled.json'))).toBe(true);
  });

  it('has histories that replay', async () => {
    const replayed = await rig.replayAll();
    expect(replayed.length).toBeGreaterThan(14);
  });
});

describe('a worker that is killed', () => {
  it('while the distilled model learns leaves what the next one needs to go on, also after a pause', async () => {
    await using server = await startTestServer();
    await using world = await openWorld(server);
    await world.startWorker();
    const settings = { task: { train_size: 16, test_size: 16 }, distill: {} };
    const whole = await (await world.start('whole', settings)).result();
    const made = (await world.fineTunes()).length;
    // Equal models are found in the store: another seed makes others.
    await world.holdTrainer(6, 'checkpoint');
    const handle = await world.start('killed', { ...settings, seed: 6 });
    await until('the trainer is at the distilled model', world.trainerIsHeld, 60_000);
    await world.worker().kill('SIGKILL');
    await world.releaseTrainer();
    await world.untilNothingIsLeft();
    await world.startWorker();
    expect((await handle.executeUpdate(pauseUpdate)).phase).toBe('distilling');
    await handle.executeUpdate(resumeUpdate);
    const { distilled } = await handle.result();
    expect(distilled).toMatchObject({ iteration: 1, from: whole.distilled!.from });
    expect(distilled!.evaluation!.questions).toBe(16);
    expect(await world.fineTunes()).toHaveLength(made + 7);
  }, 120_000);
});
