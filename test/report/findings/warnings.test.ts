import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../../src/config/resolve.ts';
import { type RunFacts, warningsOf } from '../../../src/report/findings/warnings.ts';
import { noneCutOff } from '../../../src/algorithm/measures/cost.ts';
import type { DistilledRecord } from '../../../src/store/records/iteration.ts';
import { wrapped } from '../../../src/text/safe-text.ts';

type Iteration = RunFacts['iterations'][number];

/** A healthy iteration of three agents, but for `changes`. */
const iteration = ({
  consensus = {},
  datasets = [],
  fineTunes = [],
}: {
  consensus?: Partial<Iteration['consensus']>;
  datasets?: Iteration['datasets'];
  fineTunes?: Iteration['fineTunes'];
} = {}): Iteration => ({
  iteration: 1,
  consensus: {
    questions: 300,
    unanimous: 200,
    ties: 4,
    withoutLabel: 10,
    unparsableAnswers: 3,
    truncatedPrompts: 0,
    oneVote: 0,
    answers: 1800,
    ...consensus,
  },
  cutOff: noneCutOff,
  datasets,
  fineTunes,
});
const fineTune = (agent: number, role: string, model: string | null) => ({
  agent,
  role,
  model,
  rows: model === null ? 0 : 200,
  steps: model === null ? 0 : 25,
  finalLoss: model === null ? null : 0.2,
  droppedRows: 0,
  losses: [],
  peakLearningRate: model === null ? null : 8e-4,
  moved: model === null ? null : { klPerToken: 0.007, tokens: 900, rows: 32 },
});
const facts = (changes: Partial<RunFacts> = {}): RunFacts => ({
  config: resolveConfig({ preset: 'quickstart' }),
  heldOut: 500,
  iterations: [iteration({ fineTunes: [fineTune(1, 'generation', 'a'.repeat(64))] })],
  evaluations: [{ iteration: 0, cutOff: noneCutOff, unreadable: { answers: 12, of: 3000 } }],
  ...changes,
});
const kinds = (changes: Partial<RunFacts>) => warningsOf(facts(changes)).map(({ kind }) => kind);

describe('the warnings about an experiment', () => {
  it('are none when all went well', () => {
    expect(warningsOf(facts())).toEqual([]);
  });

  it('count answers that were cut off', () => {
    const responses = { cut: 120, of: 288, share: 120 / 288 };
    const evaluations = [{ iteration: 1, cutOff: { ...noneCutOff, responses } }];
    expect(warningsOf(facts({ evaluations }))).toEqual([
      {
        kind: 'cut off',
        says: 'Answers that were cut off before they ended: 120 of 288 (41.7 %), held-out questions, after iteration 1.',
        remedy: 'Raise sampling.max_tokens (it is 64), or take a model that answers more briefly.',
      },
    ]);
  });

  it('count answers that could not be read, wherever they are many', () => {
    const [warning] = warningsOf(
      facts({
        iterations: [iteration({ consensus: { unparsableAnswers: 120, answers: 288 } })],
        evaluations: [{ iteration: 0, cutOff: noneCutOff, unreadable: { answers: 65, of: 96 } }],
      }),
    );
    expect(warning).toMatchObject({
      kind: 'unreadable',
      says: 'Answers that could not be read, and so have no vote: 65 of 96 (67.7 %), held-out questions, base model; 120 of 288 (41.7 %), training questions of iteration 1.',
    });
  });

  it('name the models that learnt nothing, and why', () => {
    const datasets = [1, 2].map((agent) => ({
      agents: [agent],
      role: 'critic',
      rows: 0,
      cut: 0,
      parts: { corrected: { available: 0, used: 0 }, kept: { available: 9, used: 0 } },
    }));
    const fineTunes = [
      fineTune(1, 'generation', 'a'.repeat(64)),
      fineTune(1, 'critic', null),
      fineTune(2, 'critic', null),
    ];
    expect(warningsOf(facts({ iterations: [iteration({ datasets, fineTunes })] }))).toMatchObject([
      {
        kind: 'not trained',
        says: 'Models that learnt nothing: 2 of 3 in iteration 1: critic (agents 1 and 2): there was no corrected dialogue.',
      },
    ]);
    const unlabelled = iteration({
      consensus: { questions: 16, withoutLabel: 16 },
      fineTunes: [fineTune(1, 'generation', null)],
    });
    expect(warningsOf(facts({ iterations: [unlabelled] }))[0]?.says).toContain(
      'generation (agent 1): none of the 16 questions had a label',
    );
  });

  it('name models that were trained and did not move, but not those whose movement is unknown', () => {
    const still = { klPerToken: 3e-7, tokens: 900, rows: 32 };
    const tuned = fineTune(1, 'generation', 'a'.repeat(64));
    const fineTunes = [tuned, { ...tuned, agent: 2, moved: still }, { ...tuned, agent: 3, moved: null }];
    expect(warningsOf(facts({ iterations: [iteration({ fineTunes })] }))).toMatchObject([
      {
        kind: 'did not move',
        says: 'Models that were trained and did not move: 1 of 3 in iteration 1 (at most 3.0e-7 nats a token, less than 0.0001).',
        remedy: expect.stringContaining('learning_rate'),
      },
    ]);
  });

  it('count rows that were too long to be trained on', () => {
    const fineTunes = [{ ...fineTune(1, 'generation', 'a'.repeat(64)), rows: 36, droppedRows: 19 }];
    expect(warningsOf(facts({ iterations: [iteration({ fineTunes })] }))).toMatchObject([
      { kind: 'too long', says: expect.stringContaining('19 of 36 (52.8 %), iteration 1') },
    ]);
  });

  it('count labels of one vote, but not where an agent is alone or gold answers are the labels', () => {
    const iterations = [iteration({ consensus: { questions: 16, withoutLabel: 0, oneVote: 12 } })];
    const config = resolveConfig({ preset: 'quickstart', min_votes: 1 });
    expect(warningsOf(facts({ config, iterations }))[0]?.says).toContain('12 of 16 (75.0 %), iteration 1');
    expect(kinds({ config: { ...config, agents: 1 }, iterations })).toEqual([]);
    expect(kinds({ config: { ...config, label_source: 'gold' }, iterations })).toEqual([]);
  });

  it('count corrected dialogues that were not learnt from', () => {
    const datasets = [
      {
        agents: [1],
        role: 'critic',
        rows: 50,
        cut: 0,
        parts: { corrected: { available: 64, used: 41 }, kept: { available: 9, used: 9 } },
      },
    ];
    expect(warningsOf(facts({ iterations: [iteration({ datasets })] }))[0]?.says).toContain(
      '23 of 64 (35.9 %), iteration 1',
    );
  });

  it('name models that could compare no answers, kept to imitation, or find even the chosen answers less likely', () => {
    const dataset = (pairs: { available: number; used: number }, objective?: 'dpo') => ({
      agents: [1],
      role: 'generation',
      rows: pairs.used,
      cut: 3,
      parts: { pairs },
      ...(objective === undefined ? {} : { objective }),
    });
    const trained = fineTune(1, 'generation', 'a'.repeat(64));
    const rewarded = (chosen: number) => ({ ...trained, rewards: { step: 9, chosen, rejected: -1 } });
    const said = (iterations: ReturnType<typeof iteration>[]) =>
      warningsOf(facts({ iterations })).map(({ kind, says }) => ({ kind, says }));
    const none = iteration({
      datasets: [dataset({ available: 0, used: 0 }, 'dpo')],
      fineTunes: [fineTune(1, 'generation', null)],
    });
    expect(said([none])).toEqual([
      {
        kind: 'not trained',
        says: 'Models that learnt nothing: 1 of 1 in iteration 1: generation (agent 1): no answers could be compared: to no question did some equal the label and others not.',
      },
    ]);
    const few = iteration({ datasets: [dataset({ available: 34, used: 0 })], fineTunes: [trained] });
    expect(said([few])).toEqual([
      {
        kind: 'few pairs',
        says: 'Models that kept to imitation, because they had fewer than 50 pairs of answers to compare: 1 of 1 in iteration 1 (at most 34 pairs).',
      },
    ]);
    const datasets = [dataset({ available: 60, used: 60 }, 'dpo')];
    expect(said([iteration({ datasets, fineTunes: [rewarded(0.2)] })])).toEqual([]);
    expect(said([iteration({ datasets, fineTunes: [rewarded(0.2), rewarded(-0.1)] })])).toEqual([
      {
        kind: 'displaced',
        says: 'Models that find even the chosen answers less likely than before their training: 1 of 2 (50.0 %), iteration 1.',
      },
    ]);
  });

  it('say that the embedded model was asked what it cannot know', () => {
    const own = resolveConfig({ preset: 'quickstart', task: { kind: 'jsonl', train_file: 'mine.jsonl' } });
    expect(kinds({ config: own })).toEqual(['embedded model']);
    const elsewhere = { ...own, model: { ...own.model, model_name_or_path: 'Qwen/Qwen3-4B' } };
    expect(kinds({ config: elsewhere })).toEqual([]);
    expect(kinds({ config: { ...own, task: facts().config.task, prompts: 'paper' } })).toEqual([
      'embedded model',
    ]);
    const transfer = resolveConfig({ preset: 'quickstart', transfer: { school: { kind: 'gsm8k' } } });
    expect(warningsOf(facts({ config: transfer }))[0]?.says).toContain('school in transfer is gsm8k');
  });

  it('say when a sample, or the guard of a series, can show nothing', () => {
    const night = resolveConfig({ preset: 'quickstart', carry_over: { series: 'nightly' } });
    expect(kinds({ config: night })).toEqual([]);
    expect(kinds({ config: night, heldOut: 24 })).toEqual(['small guard', 'small sample']);
    expect(warningsOf(facts({ config: night, heldOut: 24 }))[0]?.says).toContain(
      'one question is 4.2 points, and max_drop is 3.0',
    );
  });

  it('say when chance alone would look like a drop to the guard of an experiment', () => {
    const guarded = (validation_size: number, guard: object = {}) =>
      resolveConfig({ preset: 'quickstart', guard, task: { validation_size } });
    expect(kinds({ config: guarded(200) })).toEqual([]);
    expect(kinds({ config: guarded(40) })).toEqual(['small guard']);
    expect(kinds({ config: guarded(40, { max_drop: 0.1 }) })).toEqual([]);
    expect(kinds({ config: guarded(40, { metric: 'agreement' }) })).toEqual([]);
    expect(warningsOf(facts({ config: guarded(40) }))[0]?.says).toContain(
      'With 40 validation questions one question is 2.5 points, and guard.max_drop is 5.0: about 19 % of iterations',
    );
  });

  it('take records of older versions, which have fewer counts', () => {
    const { oneVote: _, answers: __, ...consensus } = iteration().consensus;
    const old = { ...iteration(), consensus: { ...consensus, unparsableAnswers: 900 } };
    expect(
      warningsOf(facts({ iterations: [old], evaluations: [{ iteration: 0, cutOff: noneCutOff }] }))[0]?.says,
    ).toContain('900 of 1,800 (50.0 %)');
  });
});

describe('a text in lines', () => {
  it('is broken at blanks, and a long word has its own line', () => {
    expect(wrapped('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrapped('a verylongword b', 4)).toEqual(['a', 'verylongword', 'b']);
    expect(wrapped('one\ntwo', 80)).toEqual(['one', 'two']);
    expect(wrapped('', 10)).toEqual(['']);
  });
});

describe('the warnings about the one model of a group', () => {
  const distilled = (changes: Partial<DistilledRecord>): DistilledRecord => ({
    from: 'debate',
    objective: 'dpo',
    labelled: 280,
    agreed: [200, 210, 190],
    dataset: { agents: [1, 2, 3], role: 'distilled', rows: 90, parts: {}, cut: 0, objective: 'dpo' },
    fineTune: fineTune(1, 'distilled', 'd'.repeat(64)),
    tokens: 900,
    seconds: { dataset: 1, fineTune: 1 },
    ...changes,
  });
  const says = (changes: Partial<DistilledRecord>) =>
    warningsOf(facts({ distilled: distilled(changes) })).map((each) => each.says);
  const untrained = { fineTune: fineTune(1, 'distilled', null) };

  it('are none where it learnt', () => {
    expect(says({})).toEqual([]);
    expect(warningsOf(facts({ distilled: null }))).toEqual([]);
  });

  it.each([
    [{ ...untrained, labelled: 0 }, 'No model was distilled from the group: no training question'],
    [{ ...untrained, objective: 'imitation' as const }, 'no answer of the last iteration equalled a label'],
    [untrained, 'no answers of the last iteration could be compared'],
    [
      {
        dataset: {
          agents: [1],
          role: 'distilled',
          rows: 90,
          parts: { pairs: { available: 12, used: 0 } },
          cut: 0,
        },
      },
      'kept to imitation, because it had 12 pairs of answers to compare, and min_pairs is 50',
    ],
    [
      { fineTune: { ...fineTune(1, 'distilled', 'd'), rewards: { step: 9, chosen: -0.2, rejected: -1 } } },
      'finds even the chosen answers less likely',
    ],
  ])('say why there is none, or what is wrong with it: %#', (changes, words) => {
    expect(says(changes)).toEqual([expect.stringContaining(words)]);
  });
});
