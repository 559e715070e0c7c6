import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/open-store.ts';
import { readLedger } from '../../src/store/series-ledger.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

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
    const request = JSON.parse(await file('models', `${two!.made[0]!.generation}.request.json`)) as {
      init: { key: string };
    };
    expect(request.init.key).toBe(one!.made[0]!.generation);
    expect(await file('series', 'plain', 'report.html')).toContain('href="../../plain-2/report.html"');
  });
});
