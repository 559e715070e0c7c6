import { existsSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ApplicationFailure } from '@temporalio/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/store.ts';
import { readLedger } from '../../src/store/series.ts';
import { abortUpdate, progressQuery, retryUpdate } from '../../src/workflows/progress.ts';
import { until } from '../support/until.ts';
import { type Handle, type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

describe('a night of a series', () => {
  let rig: WorkflowRig;
  beforeAll(async () => {
    rig = await workflowRig('nights');
  }, 120_000);
  afterEach(async () => {
    await rig.engine.answerRightly(0.55);
    await rig.engine.answerWith(200);
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const night = (series: string, name: string, input: object = {}) =>
    rig.start(name, { ...input, carry_over: { series } });
  const finished = async (series: string, name: string, input: object = {}) =>
    (await night(series, name, input)).result();
  const ledger = (series: string) => readLedger(openStore(rig.storeRoot), series);
  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');
  const asked = async () => (await file('asked.log')).trim().split('\n').length;
  const textsOf = async (name: string) =>
    (await file(name, 'questions', 'train.jsonl'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; text: string });
  const parked = (handle: Handle) =>
    until('the night is parked', async () => {
      const progress = await handle.query(progressQuery);
      return progress.state === 'parked' && progress;
    });

  it('goes on from the last night’s agents with fresh questions, and does not hold its evaluation again', async () => {
    const first = await finished('plain', 'plain-1');
    expect(first.night).toMatchObject({ sequence: 1, from: null, outcome: 'accepted' });
    const before = await asked();
    const second = await finished('plain', 'plain-2');
    // Training and the evaluation after it: 2 splits of 16 questions, 3 agents, 2 rounds.
    expect((await asked()) - before).toBe(2 * 16 * 3 * 2);
    expect(second.night).toMatchObject({ sequence: 2, from: 'plain-1', outcome: 'accepted' });
    const { debate, single } = first.evaluations[1]!;
    expect(second.evaluations[0]).toMatchObject({ debate, single });
    expect(second.tokens.evaluation.prompt).toBeLessThan(first.tokens.evaluation.prompt);
    const ids = [...(await textsOf('plain-1')), ...(await textsOf('plain-2'))];
    expect(new Set(ids.map(({ id }) => id)).size).toBe(32);
    expect(new Set(ids.map(({ text }) => text)).size).toBe(32);
    expect(await file('plain-2', 'questions', 'heldout.jsonl')).toBe(
      await file('plain-1', 'questions', 'heldout.jsonl'),
    );
    const [one, two] = await ledger('plain');
    expect(one!.next!.agents).toEqual(one!.made);
    expect(two!.made).not.toEqual(one!.made);
    const request = JSON.parse(
      await file('models', `${two!.made[0]!.models['generation']}.request.json`),
    ) as {
      init: { tuned: { key: string } };
    };
    expect(request.init.tuned.key).toBe(one!.made[0]!.models['generation']);
    expect(await file('plain-2', 'report.html')).toContain('means the agents that plain-1 left');
    expect(await file('series', 'plain', 'report.html')).toContain('href="../../plain-2/report.html"');
  });

  it('is not carried on when held-out accuracy falls too far, says so, and the next one begins where it began', async () => {
    const first = await finished('guarded', 'guarded-1');
    await rig.engine.answerRightly(0);
    const handle = await night('guarded', 'guarded-2');
    const { night: fallen } = await handle.result();
    expect(fallen).toMatchObject({ outcome: 'fell', from: 'guarded-1' });
    const began = (first.evaluations[1]!.debate.accuracy * 100).toFixed(1);
    expect(fallen!.said).toMatch(
      new RegExp(`not carried on.* fell from ${began} % to .* more than the 3\\.0 points`),
    );
    expect((await handle.query(progressQuery)).table.night).toBe(fallen!.said);
    expect(JSON.parse(await file('guarded-2', 'result.json'))).toMatchObject({ night: fallen });
    for (const page of [['guarded-2'], ['series', 'guarded']])
      expect(await file(...page, 'report.html')).toContain(
        'not carried on, because held-out debate accuracy fell',
      );
    const [, fell] = await ledger('guarded');
    for (const { models } of fell!.made)
      expect(existsSync(join(rig.storeRoot, 'models', models['generation']!))).toBe(true);

    await rig.engine.answerRightly(0.55);
    const third = await finished('guarded', 'guarded-3');
    expect(third.night).toMatchObject({ sequence: 3, from: 'guarded-1', outcome: 'accepted' });
    expect(third.evaluations[0]!.debate).toEqual(first.evaluations[1]!.debate);
    const texts = (await Promise.all([1, 2, 3].map((each) => textsOf(`guarded-${each}`)))).flat();
    expect(new Set(texts.map(({ text }) => text)).size).toBe(48);
  });

  it('changes nothing for the next when it is aborted, cancelled or terminated', async () => {
    await finished('unlucky', 'unlucky-1');
    const before = await ledger('unlucky');
    await rig.engine.answerWith(403);
    const aborted = await night('unlucky', 'unlucky-2');
    await parked(aborted);
    await aborted.executeUpdate(abortUpdate, { args: ['no'] });
    await expect(aborted.result()).rejects.toThrow();
    for (const end of ['cancel', 'terminate'] as const) {
      const handle = await night('unlucky', `unlucky-${end}`);
      await parked(handle);
      await handle[end]();
      await expect(handle.result()).rejects.toThrow();
    }
    await rig.engine.answerWith(200);
    expect(await ledger('unlucky')).toEqual(before);
    const next = await finished('unlucky', 'unlucky-3');
    expect(next.night).toMatchObject({ sequence: 2, from: 'unlucky-1' });
    expect(await textsOf('unlucky-3')).toEqual(await textsOf('unlucky-2'));
  });

  it('keeps to its plan when it is started again, and is overtaken when another was finished meanwhile', async () => {
    await finished('late', 'late-1');
    await rig.engine.answerWith(403);
    const handle = await night('late', 'late-2');
    await parked(handle);
    await handle.terminate();
    await rig.engine.answerWith(200);
    const planned = await textsOf('late-2');
    expect((await finished('late', 'late-3')).night!.outcome).toBe('accepted');
    const again = await finished('late', 'late-2');
    expect(await textsOf('late-2')).toEqual(planned);
    expect(again.night).toMatchObject({ sequence: 3, from: 'late-1', outcome: 'overtaken' });
    expect(again.night!.said).toContain('late-3 was finished first');
    const fourth = await finished('late', 'late-4');
    expect(fourth.night).toMatchObject({ sequence: 4, from: 'late-3', outcome: 'accepted' });
    expect((await textsOf('late-4'))[0]!.id).toBe('train-00032');
  });

  it('refuses other agents, another seed and other held-out questions, and evaluates again with other rounds', async () => {
    await finished('settled', 'settled-1');
    for (const [index, [input, path]] of [
      [{ agents: 2 }, 'agents'],
      [{ task: { train_size: 16, test_size: 24 } }, 'task.test_size'],
      [{ task: { train_size: 16, test_size: 16, form: 'a+b*c' } }, 'task.form'],
      [{ seed: 5 }, 'seed'],
    ].entries() as IterableIterator<[number, [object, string]]>) {
      const error = await finished('settled', `settled-bad-${index}`, input).catch(
        (reason: unknown) => reason,
      );
      const { cause } = error as { cause: ApplicationFailure };
      expect(cause.type).toBe('InvalidConfig');
      expect(cause.message).toContain(`${path}: the series settled was begun with`);
    }
    const before = await asked();
    await finished('settled', 'settled-2', { rounds: 1, task: { train_size: 8, test_size: 16 } });
    expect((await asked()) - before).toBe((8 + 16 + 16) * 3);
  });

  it('parks when the ledger is damaged, and goes on when it was put right', async () => {
    await finished('harmed', 'harmed-1');
    const entry = join(rig.storeRoot, 'series', 'harmed', 'night-00001', 'night.json');
    await writeFile(entry, '{"half a');
    const handle = await night('harmed', 'harmed-2');
    const { waiting } = await parked(handle);
    expect(waiting[0]!.reason).toMatch(/SeriesDamaged.*night\.json is damaged.*Put the file.*back/s);
    const copy = join(rig.storeRoot, 'harmed-1', 'night', 'night.json');
    await copyFile(copy, entry);
    await copyFile(`${copy}.ref.json`, `${entry}.ref.json`);
    await handle.executeUpdate(retryUpdate);
    expect((await handle.result()).night).toMatchObject({ sequence: 2, from: 'harmed-1' });
  });

  it('makes carried models again that are gone, and debates again what cannot be taken over', async () => {
    const first = await finished('lost', 'lost-1');
    const model = join(rig.storeRoot, 'models', (await ledger('lost'))[0]!.made[0]!.models['generation']!);
    await rm(model, { recursive: true });
    await writeFile(
      join(rig.storeRoot, 'lost-1', 'iteration-1', 'evaluation', 'shard-001.jsonl'),
      'garbage\n',
    );
    const second = await finished('lost', 'lost-2');
    expect(second.night).toMatchObject({ from: 'lost-1' });
    expect(second.evaluations[0]!.questions).toBe(first.evaluations[1]!.questions);
    expect(existsSync(join(model, 'manifest.json'))).toBe(true);
  });
});
