import { readFile } from 'node:fs/promises';
import { CancelledFailure } from '@temporalio/common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { debate } from '../../../src/activities/steps/debate.ts';
import { buildDatasets } from '../../../src/activities/steps/build-datasets.ts';
import { countCutOff, noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import { readRows } from '../../../src/store/files/rows.ts';
import { debateRowSchema, exampleSchema } from '../../../src/store/records/rows.ts';
import { experimentFiles } from '../../../src/store/store.ts';
import { startInstantEngine } from '../../support/instant-engine.ts';
import { activityEnvironment, beatsOf, runStep } from '../../support/run-step.ts';
import { type StepsOfAnExperiment, stepsOfAnExperiment } from '../../support/steps-of-an-experiment.ts';
import { inFlight } from '../../support/test-dependencies.ts';
import { until } from '../../support/until.ts';

/** Eight questions, three agents, two rounds. */
const answersOfAShard = 8 * 3 * 2;

describe('the datasets of debates', () => {
  it('are the same bytes with one server and with two, one of which is killed among its answers', async () => {
    await using second = await startInstantEngine();
    await using one = await stepsOfAnExperiment();
    await using two = await stepsOfAnExperiment([], {}, [second.url]);
    await second.tell({ hold: { after: 20 } });
    const made = two.fineTunes();
    await until('the second server holds back answers', async () => (await second.state()).held > 0);
    await second.kill();
    const datasets = (await made).map(({ dataset }) => dataset.sha256);
    expect((await two.engine.state()).answered).toBeGreaterThan(answersOfAShard);
    expect(datasets).toEqual((await one.fineTunes()).map(({ dataset }) => dataset.sha256));
    expect(new Set(datasets).size).toBe(2);
  });
});

describe('the datasets of a model that compares answers', () => {
  const built = async (settings: object) => {
    await using steps = await stepsOfAnExperiment([], { min_pairs: 1, label_weight: 'margin', ...settings });
    const { store } = steps.dependencies;
    for (const shard of [0, 1]) await runStep(debate, steps.shard(shard), steps.dependencies);
    const request = { experiment: 'steps', iteration: 1, agents: [1], shards: 2 };
    const [generation] = await runStep(buildDatasets, request, steps.dependencies);
    const again = await runStep(buildDatasets, request, steps.dependencies);
    expect(again[0]).toEqual(generation);
    return {
      generation: generation!,
      rows: await readRows(store.place(generation!.rows.uri), exampleSchema),
    };
  };

  it('are pairs, or both answers of each, with the template and the weight of the label', async () => {
    const [pairs, answers] = [
      await built({ fine_tune: { objective: { generation: 'dpo' } } }),
      await built({ fine_tune: { objective: 'kto' } }),
    ];
    const { available, used } = pairs.generation.parts['pairs']!;
    expect(used).toBe(available);
    expect(pairs.rows).toHaveLength(used);
    expect(used).toBeGreaterThan(0);
    expect([pairs.generation.objective, answers.generation.objective]).toEqual(['dpo', 'kto']);
    expect(answers.rows).toEqual(
      pairs.rows.flatMap((row) => {
        if (!('chosen' in row)) throw new Error('A row is no pair.');
        const { chosen, rejected, ...rest } = row;
        expect(chosen[0].content).not.toBe(rejected[0].content);
        expect(rest.weight).toBeGreaterThan(0);
        return [
          { ...rest, completion: chosen, label: true },
          { ...rest, completion: rejected, label: false },
        ];
      }),
    );
  });

  it('are those of imitation where pairs are too few', async () => {
    const few = await built({ min_pairs: 1000, fine_tune: { objective: 'dpo' } });
    const imitated = await built({});
    expect(few.generation.rows.sha256).toBe(imitated.generation.rows.sha256);
    expect(few.generation).not.toHaveProperty('objective');
    expect(few.generation.parts['pairs']).toMatchObject({ used: 0 });
    expect(imitated.generation.parts).toEqual({});
  });
});

describe('debates that may end after round 1', () => {
  const summaries = async (settings: object) => {
    await using steps = await stepsOfAnExperiment([], settings);
    const { store } = steps.dependencies;
    const shards = [];
    for (const shard of [0, 1]) {
      const summary = await runStep(debate, steps.shard(shard), steps.dependencies);
      const file = experimentFiles(store, 'steps').shard(1, 'train', shard);
      // The same when the shard is found finished.
      expect(await runStep(debate, steps.shard(shard), steps.dependencies)).toEqual(summary);
      shards.push({ summary, rows: await readRows(file, debateRowSchema) });
    }
    return shards;
  };

  it('are counted with their tokens, beside those that went on', async () => {
    for (const { summary, rows } of await summaries({ stop_when_unanimous: true })) {
      const short = rows.filter(({ dialogues }) => dialogues.every((messages) => messages.length === 2));
      const long = rows.filter((row) => !short.includes(row));
      const sum = (all: typeof rows, of: (tokens: (typeof rows)[number]['tokens']) => number) =>
        all.reduce((total, { tokens }) => total + of(tokens), 0);
      expect(short.length * long.length).toBeGreaterThan(0);
      expect(summary.earlyStop).toEqual({
        debates: 8,
        stopped: short.length,
        stoppedTokens: sum(short, ({ prompt, completion }) => prompt + completion),
        firstRoundTokens: sum(long, ({ firstRound }) => firstRound),
        laterTokens: sum(long, ({ prompt, completion, firstRound }) => prompt + completion - firstRound),
      });
    }
  });

  it('are not counted where none may', async () => {
    for (const { summary } of await summaries({})) expect(summary).not.toHaveProperty('earlyStop');
  });
});

describe('responses that were cut off', () => {
  /** The instant engine's responses have 19 to 24 characters. One of 22 is cut off before its end, and can still be read. */
  const someCut = { sampling: { max_tokens: 22 } };

  it.each([
    { learnt: false, what: 'are left out of the datasets and counted' },
    { learnt: true, what: 'are learnt from when the config says so' },
  ])('$what', async ({ learnt }) => {
    await using steps = await stepsOfAnExperiment([], { ...someCut, train_on_cut_answers: learnt });
    const { store } = steps.dependencies;
    const { cutOff } = await runStep(debate, steps.shard(0), steps.dependencies);
    const rows = await readRows(experimentFiles(store, 'steps').shard(1, 'train', 0), debateRowSchema);
    const reasons = rows.flatMap(({ finishReasons }) => finishReasons.responses.flat());
    const cut = reasons.filter((reason) => reason === 'length').length;
    expect(cut).toBeGreaterThan(0);
    expect(cut).toBeLessThan(reasons.length);
    expect(cutOff).toEqual({
      responses: { cut, of: answersOfAShard, share: cut / answersOfAShard },
      summaries: { cut: 0, of: 0, share: null },
    });
    await runStep(debate, steps.shard(1), steps.dependencies);
    const request = { experiment: 'steps', iteration: 1, agents: [1, 2, 3], shards: 2 };
    const datasets = await runStep(buildDatasets, request, steps.dependencies);
    for (const dataset of datasets) {
      const examples = await readRows(store.place(dataset.rows.uri), exampleSchema);
      const lengths = examples.map((row) => ('completion' in row ? row.completion[0].content.length : 0));
      expect(lengths.some((length) => length === 22)).toBe(learnt);
      expect(dataset.cut! > 0).toBe(!learnt);
    }
  });

  it('are unknown in debates of an older version, which can still be read', async () => {
    await using steps = await stepsOfAnExperiment();
    await runStep(debate, steps.shard(0), steps.dependencies);
    const [row] = await readRows(
      experimentFiles(steps.dependencies.store, 'steps').shard(1, 'train', 0),
      debateRowSchema,
    );
    const { finishReasons: _, ...older } = row!;
    const read = debateRowSchema.parse(older);
    expect(countCutOff(read.finishReasons)).toEqual(noneCutOff);
  });
});

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

  it.each([
    ['say that all is done', { answers: answersOfAShard, total: answersOfAShard }],
    ['are null', null],
    ['are no object', 'all done'],
    ['are those of another step', { trainer: 'local', key: 'a'.repeat(64), step: 3 }],
  ])(
    'believe what is on disk, and not the details of an earlier attempt, which %s',
    async (_, heartbeatDetails) => {
      const file = experimentFiles(steps.dependencies.store, 'steps').shard(1, 'train', 0);
      const environment = activityEnvironment({ attempt: 2, heartbeatDetails });
      await runStep(debate, steps.shard(0), steps.dependencies, environment);
      expect((await steps.engine.state()).answered).toBe(answersOfAShard);
      expect((await readFile(file.where, 'utf8')).trim().split('\n')).toHaveLength(8);
    },
  );

  it('are not begun again once they are finished', async () => {
    const first = await runStep(debate, steps.shard(0), steps.dependencies);
    const before = (await steps.engine.state()).answered;
    expect(await runStep(debate, steps.shard(0), steps.dependencies)).toEqual(first);
    expect((await steps.engine.state()).answered).toBe(before);
  });
});
