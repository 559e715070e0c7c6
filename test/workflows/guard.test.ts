import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';
import { agentModelsAfter, finishedIteration } from '../../src/export/finished-iteration.ts';
import { openDebaters } from '../../src/serve/debaters.ts';
import { readLedger } from '../../src/store/series.ts';
import { openStore } from '../../src/store/store.ts';
import { type ExperimentResult, findFinished } from '../../src/store/records/result.ts';
import { changeUpdate, pauseUpdate, progressQuery, resumeUpdate } from '../../src/workflows/progress.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { smallExperiment } from '../support/small-experiment.ts';
import { testDependencies } from '../support/test-dependencies.ts';
import { until } from '../support/until.ts';
import { type WorkflowRig, workflowRig } from '../support/workflow-rig.ts';

/** The models of an iteration: a generation and a critic model for each of three agents. */
const models = 6;

describe('an experiment with a guard', () => {
  let rig: WorkflowRig;
  const control = temporaryFolder();
  const trained = join(control, 'trained.log');
  beforeAll(async () => {
    rig = await workflowRig('guard', { trainerArgs: ['--control', control, '--log', trained] });
  }, 120_000);
  afterEach(async () => {
    await rig.engine.tell({ bad: { from: 0, to: 0 }, revision: 0.15, delay: 0 });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
  });

  const task = { train_size: 16, test_size: 16, validation_size: 16 };
  const guarded = { iterations: 3, task, guard: { max_drop: 0.2 } };
  /** Runs an experiment in which the models of these iterations never give a right answer. */
  const collapsing = async (name: string, [first, last]: readonly [number, number], input: object) => {
    await rig.engine.tell({ bad: { from: (first - 1) * models, to: last * models } });
    return (await rig.start(name, input)).result();
  };
  const store = () => openStore(rig.storeRoot);
  const debaters = (experiment: string) =>
    openDebaters(
      store(),
      { experiment, iteration: undefined },
      testDependencies({ storeRoot: rig.storeRoot, engineUrl: rig.engine.url }).endpoints,
    );
  const file = (...path: string[]) => readFile(join(rig.storeRoot, ...path), 'utf8');
  const asked = async () => (await file('asked.log')).trim().split('\n').length;
  const keysOf = ({ iterations }: ExperimentResult, iteration: number) =>
    iterations[iteration - 1]!.fineTunes.map(({ model }) => model!);
  /** The models with which the fine-tunes of an iteration began. */
  const startsOf = (result: ExperimentResult, iteration: number) =>
    Promise.all(
      keysOf(result, iteration).map(
        async (key) =>
          (JSON.parse(await file('models', `${key}.request.json`)) as { init: { tuned: { key: string } } })
            .init.tuned.key,
      ),
    );

  it('ends after a collapse with the agents of the best iteration, and ends there again with more iterations', async () => {
    const result = await collapsing('stopped', [2, 3], guarded);
    expect(result.evaluations.map(({ iteration }) => iteration)).toEqual([0, 1, 2]);
    expect(result.guard).toMatchObject({ best: 1, stopped: 2, rolledBack: [2] });
    expect(result.guard!.steps.map(({ outcome }) => outcome)).toEqual(['best', 'best', 'collapsed']);
    expect(result.validation!.map(({ questions }) => questions)).toEqual([16, 16, 16]);
    expect(result.validation![2]!.accuracy.accuracy).toBe(0);
    const { guard, table } = await rig.client.workflow.getHandle('stopped').query(progressQuery);
    expect(guard).toEqual({ best: 1, said: result.guard!.said, rolledBack: [2] });
    expect(table.guard).toContain('collapse after iteration 2');

    const done = await finishedIteration(store(), 'stopped', undefined);
    expect(done.iteration).toBe(1);
    expect((await agentModelsAfter(done)).map(({ key }) => key)).toEqual(keysOf(result, 1));
    expect((await debaters('stopped')).iteration).toBe(1);

    const before = await asked();
    const again = await (await rig.start('stopped', { ...guarded, iterations: 5 })).result();
    expect(again.guard).toEqual(result.guard);
    expect(again.evaluations).toEqual(result.evaluations);
    expect(await asked()).toBe(before);
    // A study takes it for finished.
    const more = resolveConfig({ ...smallExperiment, ...guarded, iterations: 9 });
    expect((await findFinished(store(), 'stopped', more))?.guard).toEqual(result.guard);
  });

  it('goes on from the best iteration after a collapse, if it is told to', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- a setting, and no function
    const guard = { ...guarded.guard, then: 'continue' };
    const result = await collapsing('continued', [2, 2], { ...guarded, guard, keep: 'last', seed: 5 });
    expect(result.evaluations.map(({ iteration }) => iteration)).toEqual([0, 1, 2, 3]);
    expect(result.guard!.steps.map(({ from }) => from)).toEqual([null, 0, 1, 1]);
    expect(await startsOf(result, 2)).toEqual(keysOf(result, 1));
    expect(await startsOf(result, 3)).toEqual(keysOf(result, 1));
    // With `keep: last` the best iteration's models stay, and those that were rolled back go.
    const kept = (iteration: number) =>
      keysOf(result, iteration).map((key) => existsSync(join(rig.storeRoot, 'models', key, 'manifest.json')));
    expect(kept(2)).not.toContain(true);
    expect(kept(result.guard!.best)).not.toContain(false);
  });

  it('makes models again that it needs and that were removed (`keep: last`), also by another experiment', async () => {
    const input = { iterations: 2, keep: 'last', seed: 6 };
    const first = await (await rig.start('maker', input)).result();
    const second = await (await rig.start('finder', input)).result();
    expect(second.evaluations).toEqual(first.evaluations);
    expect(keysOf(second, 1)).toEqual(keysOf(first, 1));
    const evaluation = join(rig.storeRoot, 'finder', 'iteration-1', 'evaluation');
    for (const name of readdirSync(evaluation)) {
      if (name.endsWith('.jsonl')) await writeFile(join(evaluation, name), 'garbage\n');
      else if (!name.endsWith('.json')) await rm(join(evaluation, name), { recursive: true });
    }
    const again = await (await rig.start('finder', { ...input, iterations: 3 })).result();
    expect(again.evaluations.slice(0, 3)).toEqual(first.evaluations);
  });

  it('has settings that are changed while it is distilled hold for that model, also of an earlier iteration', async () => {
    await rig.engine.tell({ bad: { from: models, to: 3 * models } });
    await rig.engine.tell({ delay: 30 });
    const handle = await rig.start('distilled', { ...guarded, distill: {}, seed: 1 });
    await until('the agents of iteration 2 answer', async () => {
      const { phase, iteration } = await handle.query(progressQuery);
      return phase === 'evaluating' && iteration === 2;
    });
    const model = (await readFile(trained, 'utf8')).match(/^end/gm)!.length;
    await writeFile(join(control, 'hold'), JSON.stringify({ model, at: 'begin' }));
    await until('one model learns', () => existsSync(join(control, 'held')));
    await handle.executeUpdate(pauseUpdate);
    await handle.executeUpdate(changeUpdate, { args: [{ 'fine_tune.learning_rate': 0.0123 }] });
    await until('it is paused', async () => (await handle.query(progressQuery)).state === 'paused');
    await rm(join(control, 'held'));
    await handle.executeUpdate(resumeUpdate);
    const { guard, distilled, changes } = await handle.result();
    expect(guard).toMatchObject({ best: 1, stopped: 2 });
    expect(changes).toMatchObject([{ fromIteration: 2, ofDistilled: 1 }]);
    const manifest = await file('models', distilled!.fineTune.model!, 'manifest.json');
    expect(JSON.parse(manifest)).toMatchObject({ settings: { learning_rate: 0.0123 } });
  });

  it('waits for as many drops in a row as its patience, and makes a damaged validation again', async () => {
    const guard = { ...guarded.guard, patience: 2 };
    const first = await collapsing('patient', [2, 3], { ...guarded, guard, iterations: 1 });
    expect(first.guard).toMatchObject({ best: 1, stopped: null, rolledBack: [] });
    await writeFile(join(rig.storeRoot, 'patient', 'iteration-0', 'outcomes-validation.jsonl'), 'garbage\n');
    const result = await (await rig.start('patient', { ...guarded, guard })).result();
    expect(result.guard!.steps.map(({ outcome }) => outcome)).toEqual([
      'best',
      'best',
      'dropped',
      'collapsed',
    ]);
    expect(result.guard).toMatchObject({ best: 1, stopped: 3, rolledBack: [2, 3] });
  });

  it('has the agents of the best iteration carried over to the next night', async () => {
    const night = { ...guarded, carry_over: { series: 'guarded' } };
    const result = await collapsing('night-1', [2, 3], night);
    expect(result.guard).toMatchObject({ best: 1, stopped: 2 });
    expect(result.night!.outcome).toBe('accepted');
    const [entry] = await readLedger(store(), 'guarded');
    expect(entry!.next!.evaluated).toEqual({ experiment: 'night-1', iteration: 1 });
    const carried = entry!.next!.agents.flatMap((agent) => Object.values(agent.models));
    expect(new Set(carried)).toEqual(new Set(keysOf(result, 1)));
    // The first models that it loads are those with which it begins.
    const next = await collapsing('night-2', [2, 2], { ...night, iterations: 1 });
    expect(next.evaluations[0]!.debate).toEqual(result.evaluations[1]!.debate);
    // All of its own training was rolled back: its agents are those that it began with.
    expect(next.guard).toMatchObject({ best: 0, stopped: 1 });
    const [, second] = await readLedger(store(), 'guarded');
    expect(second!.made).toEqual(entry!.made);
  });

  it('answers by the vote over the first answers, where the debate spoils more than it saves', async () => {
    await rig.engine.tell({ revision: -0.4 });
    const input = { task, answer: 'auto' };
    const { answer, validation } = await (await rig.start('first-vote', input)).result();
    expect(answer).toMatchObject({ by: 'first vote', iteration: 1 });
    expect(answer!.spoilt).toBeGreaterThan(answer!.saved);
    expect(validation![1]!.firstVote.accuracy).toBeGreaterThan(validation![1]!.accuracy.accuracy);
    const before = await asked();
    const asking = await debaters('first-vote');
    expect(asking.answersBy).toBe('first vote');
    const { answers: given } = await asking.debate('3+4*5-6', { signal: new AbortController().signal });
    expect(given.map((byRound) => byRound.length)).toEqual([1, 1, 1]);
    expect(await asked()).toBe(before + 3);
    await asking.close();
    await rig.engine.tell({ revision: 0.15 });
    expect((await (await rig.start('by-debate', input)).result()).answer).toMatchObject({ by: 'debate' });
  });
});
