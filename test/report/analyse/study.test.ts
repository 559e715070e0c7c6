import { describe, expect, it } from 'vitest';
import { resultsDocument, type StudyAnalysis } from '../../../src/report/analyse/study.ts';
import { studyTables } from '../../../src/report/tables/study-tables.ts';
import { type Script, times } from '../scripted-study.ts';
import { against, analysed, debateRight, row } from './analysed-study.ts';

describe("a method's own figure", () => {
  const answers = [...times(5, 'RRW>WWW'), ...times(5, 'RWW>RRR')];

  it('is the mean over the answers for one that answers once: 5 questions of 2/3 and 5 of 1/3', async () => {
    const { curve } = row(await analysed([{ method: 'base', iterations: [answers] }]), 'base');
    expect(curve).toHaveLength(1);
    expect(curve[0]!.accuracy).toBeCloseTo(0.5, 12);
    // Every score is 1/6 from the mean: sqrt(1/36 / 10).
    expect(curve[0]!.standardError).toBeCloseTo(1 / 6 / Math.sqrt(10), 12);
  });

  it('is the vote over the first answers for a majority, and over the last round for a debate', async () => {
    // The first answers' majority is right on the first five questions, the last round's on the others.
    const distinct = [...times(6, 'RRW>WWW'), ...times(4, 'RWW>RRR')];
    const analysis = await analysed([
      { method: 'majority', iterations: [distinct] },
      { method: 'debate', iterations: [distinct] },
    ]);
    expect(row(analysis, 'majority').curve[0]!.accuracy).toBeCloseTo(0.6, 12);
    expect(row(analysis, 'debate').curve[0]!.accuracy).toBeCloseTo(0.4, 12);
  });
});

describe('several seeds', () => {
  it('are pooled question by question, with the spread of their accuracies beside', async () => {
    const analysis = await analysed(
      [30, 20, 10].map((right, seed) => ({ method: 'debate', seed, iterations: [debateRight(right)] })),
    );
    const [point] = row(analysis, 'debate').curve;
    expect(point!.units).toBe(120);
    expect(point!.accuracy).toBeCloseTo(0.5, 12);
    expect(point!.standardError).toBeCloseTo(Math.sqrt(0.25 / 120), 12);
    expect(point!.bySeed).toEqual([
      { seed: 0, accuracy: 0.75 },
      { seed: 1, accuracy: 0.5 },
      { seed: 2, accuracy: 0.25 },
    ]);
    // The standard deviation of .75, .5, .25 over n - 1.
    expect(point!.seedSpread).toBeCloseTo(0.25, 12);
    expect(analysis.settings[0]!.sharedQuestions).toBe(false);
  });

  it('that ask the same questions count a question once, with all of its seeds: in errors, intervals and tests', async () => {
    const sharing = (method: 'debate' | 'multiagent-ft', seed: number, ...right: number[]): Script => ({
      method,
      seed,
      iterations: right.map(debateRight),
      // Spelling that makes no other question.
      text: (index) => (seed === 0 ? `Question ${index}` : ` question  ${index}`),
    });
    const three = await analysed(
      [0, 1, 2].flatMap((seed) => [sharing('debate', seed, 20), sharing('multiagent-ft', seed, 20, 26)]),
    );
    const [compared] = three.comparisons;
    expect(compared).toMatchObject({ questions: 40, units: 120, wins: 6, losses: 0, pValue: 2 / 2 ** 6 });
    const alone = await analysed([sharing('debate', 0, 20), sharing('multiagent-ft', 0, 20, 26)]);
    expect(compared).toMatchObject({ low: alone.comparisons[0]!.low, high: alone.comparisons[0]!.high });
    const [point] = row(three, 'debate').curve;
    expect(point!.standardError).toBeCloseTo(Math.sqrt(0.25 / 40), 12);
    // What is counted in debates has the errors of 40 questions too.
    const shares = (analysis: StudyAnalysis) => row(analysis, 'multiagent-ft').own!.flips[0]!.rightToRight;
    expect(shares(three)!.standardError).toBeCloseTo(shares(alone)!.standardError, 12);
  });

  it('that ask the same questions are reported, as their units depend on each other', async () => {
    const analysis = await analysed(
      [0, 1].map((seed) => ({
        method: 'debate',
        seed,
        iterations: [debateRight(20)],
        text: (index: number) => `question ${index}`,
      })),
    );
    expect(analysis.settings[0]!.sharedQuestions).toBe(true);
    expect(row(analysis, 'debate').curve[0]!.units).toBe(80);
  });

  it('are each paired with itself: a seed that only one method has finished is left out of the comparison', async () => {
    const analysis = await analysed([
      { method: 'debate', seed: 0, iterations: [debateRight(20)] },
      { method: 'multiagent-ft', seed: 0, iterations: [debateRight(20), debateRight(30)] },
      { method: 'multiagent-ft', seed: 1, iterations: [debateRight(20), debateRight(40)] },
    ]);
    expect(against(analysis, 'debate', 'first')).toMatchObject({ units: 40, wins: 10, losses: 0 });
    expect(row(analysis, 'multiagent-ft').seeds).toEqual([0, 1]);
  });

  it('of different lengths are compared over the iterations that all have', async () => {
    const analysis = await analysed([
      { method: 'multiagent-ft', seed: 0, iterations: [debateRight(20), debateRight(30), debateRight(35)] },
      { method: 'multiagent-ft', seed: 1, iterations: [debateRight(20), debateRight(30)] },
    ]);
    expect(row(analysis, 'multiagent-ft').curve.map(({ iteration }) => iteration)).toEqual([0, 1]);
  });
});

/** Of 40 questions both methods have 15 right; the reference alone `wins` more, the other alone `losses`. */
const paired = (wins: number, losses: number) => {
  const rest = 25 - wins - losses;
  const both = times(15, 'RRR>RRR');
  const wrong = (count: number) => times(count, 'WWW>WWW');
  const right = (count: number) => times(count, 'RRR>RRR');
  return {
    reference: [...both, ...right(wins), ...wrong(losses), ...wrong(rest)],
    other: [...both, ...wrong(wins), ...right(losses), ...wrong(rest)],
  };
};

describe('comparisons with the reference', () => {
  /*
   * python: from scipy.stats import binomtest; from statsmodels.stats.multitest import multipletests
   * p = [binomtest(3, 15, .5).pvalue, binomtest(4, 14, .5).pvalue, binomtest(1, 10, .5).pvalue]; p, multipletests(p, method='holm')[1]
   */
  it('are exact McNemar tests, corrected by Holm over all methods of a moment as statsmodels does', async () => {
    const reference = paired(0, 0).reference;
    const trained = [...times(20, 'RRR>RRR'), ...times(20, 'WWW>WWW')];
    // Right where the trained one is wrong, and the other way round, so often as is said.
    const differing = (wins: number, losses: number) => [
      ...times(wins, 'WWW>WWW'),
      ...times(20 - wins, 'RRR>RRR'),
      ...times(losses, 'RRR>RRR'),
      ...times(20 - losses, 'WWW>WWW'),
    ];
    const analysis = await analysed([
      { method: 'majority', iterations: [differing(12, 3)] },
      { method: 'debate', iterations: [differing(10, 4)] },
      { method: 'majority-ft', iterations: [reference, differing(9, 1)] },
      { method: 'multiagent-ft', iterations: [reference, trained] },
    ]);
    const found = ['majority', 'debate', 'majority-ft'].map((other) => against(analysis, other, 'first'));
    expect(found.map(({ wins, losses }) => [wins, losses])).toEqual([
      [12, 3],
      [10, 4],
      [9, 1],
    ]);
    expect(found.map(({ pValue }) => pValue.toFixed(8))).toEqual(['0.03515625', '0.17956543', '0.02148438']);
    expect(found.map(({ adjusted }) => adjusted.toFixed(8))).toEqual([
      '0.07031250',
      '0.17956543',
      '0.06445313',
    ]);
    expect(found[0]!.difference).toBeCloseTo(9 / 40, 12);
    expect(found[0]!.low).toBeLessThan(9 / 40);
    expect(found[0]!.high).toBeGreaterThan(9 / 40);
    expect(analysis.comparisons.filter(({ moment }) => moment === 'last')).toEqual([]);
  });

  it('are made after one iteration and after the last that both have; what learns nothing stands where it is', async () => {
    const { reference } = paired(1, 0);
    const analysis = await analysed([
      { method: 'debate', iterations: [reference] },
      { method: 'star', iterations: [reference, reference, reference] },
      { method: 'multiagent-ft', iterations: times(4, '').map(() => reference) },
    ]);
    expect(
      analysis.comparisons.map(({ moment, other, iterations }) => [
        moment,
        other,
        iterations.reference,
        iterations.other,
      ]),
    ).toEqual([
      ['first', 'debate', 1, 0],
      ['first', 'star', 1, 1],
      ['last', 'debate', 3, 0],
      ['last', 'star', 2, 2],
    ]);
  });

  it("take agent 1's answer for a method that answers once, and its mean for the difference", async () => {
    const analysis = await analysed([
      { method: 'base', iterations: [[...times(10, 'WRR>WRR')]] },
      { method: 'debate', iterations: [[...times(10, 'WRR>RRR')]] },
    ]);
    const found = against(analysis, 'base', 'first');
    expect(found).toMatchObject({ reference: 'debate', wins: 10, losses: 0 });
    expect(found.difference).toBeCloseTo(1 / 3, 12);
  });

  it('are with the last method of a study without multiagent finetuning', async () => {
    const { reference, other } = paired(3, 0);
    const analysis = await analysed([
      { method: 'majority', iterations: [other] },
      { method: 'debate', iterations: [reference] },
    ]);
    expect(analysis.reference).toBe('debate');
    expect(against(analysis, 'majority', 'first')).toMatchObject({ wins: 3, losses: 0 });
  });
});

describe('what stands beside accuracies', () => {
  it('has flips with the seeds pooled: 3 of 6 wrong answers corrected and 1 of 6 right ones spoilt', async () => {
    const analysis = await analysed([
      { method: 'debate', seed: 0, iterations: [['RWW>RRW', 'RRW>RWW']] },
      { method: 'debate', seed: 1, iterations: [['RWW>RRW', 'RRW>RRR']] },
    ]);
    const [flips] = row(analysis, 'debate').own!.flips;
    expect(flips!.corrected).toMatchObject({ value: 3 / 6, of: 6 });
    expect(flips!.spoilt).toMatchObject({ value: 1 / 6, of: 6 });
    expect(flips!.rightToRight!.value).toBeCloseTo(5 / 12, 12);
  });

  it('has the agreement of the agents, pass@N and maj@N: 2 of 3 agree on one question, all on the other', async () => {
    const analysis = await analysed([{ method: 'debate', iterations: [['WAR>RRW', 'WWA>WWW']] }]);
    const [first] = row(analysis, 'debate').own!.consensus;
    expect(first!.consensusShare!.value).toBeCloseTo((2 / 3 + 1) / 2, 12);
    expect(first!.unanimous!.value).toBe(0.5);
    expect(first!.passAtN!.value).toBe(0.5);
    // A third of three different answers, and none of the other.
    expect(first!.majAtN!.value).toBeCloseTo(1 / 6, 12);
  });

  it('has what a perfect choice would gain, and the errors that agents have in common', async () => {
    const analysis = await analysed([
      {
        method: 'debate',
        iterations: [[...times(10, 'RRR>RRR'), ...times(5, 'RWW>WWW'), ...times(5, 'WWW>WWW')]],
      },
    ]);
    const [first] = row(analysis, 'debate').own!.consensus;
    // Five of twenty questions that one agent has right and the vote has not.
    expect(first!.oracleGap!.value).toBeCloseTo(5 / 20, 12);
    expect(first!.errors.sameWrong!.value).toBe(1);
    // Agents 2 and 3 are wrong on the same questions; with agent 1, 5 of 20 are wrong, all of them among the others' 10: 1 / sqrt(3).
    expect(first!.errors.correlation!.value).toBeCloseTo((1 + 2 / Math.sqrt(3)) / 3, 12);
  });

  it('counts the answers that could not be read', async () => {
    const analysis = await analysed([{ method: 'debate', iterations: [['R.W>RRR', 'WWW>...']] }]);
    expect(row(analysis, 'debate').own!.answers).toEqual([
      {
        iteration: 0,
        responses: { count: 0, of: 12 },
        summaries: { count: 0, of: 0 },
        unreadable: { count: 4, of: 12 },
      },
    ]);
  });

  it('has none where there is one round', async () => {
    const analysis = await analysed([{ method: 'majority', iterations: [['RWW', 'RRW']] }]);
    expect(row(analysis, 'majority').own!.flips).toEqual([]);
  });

  it('has the cost of the training and of one answer at the end: evaluations that draw the curve are none', async () => {
    const analysis = await analysed([
      { method: 'base', iterations: [debateRight(10)] },
      { method: 'debate', iterations: [debateRight(10)] },
      { method: 'multiagent-ft', iterations: [debateRight(10), debateRight(20), debateRight(30)] },
    ]);
    const { cost } = row(analysis, 'multiagent-ft').own!;
    // The fixture's, in each of two iterations: debates 3,000, and 5,000 trained. The last of three evaluations has 150.
    expect(cost.tokens).toBe(2 * (3_000 + 5_000) + 150);
    expect(cost.training).toMatchObject({ tokensIn: 4_000, tokensOut: 2_000, deviceSeconds: 100 });
    expect(cost.answer).toMatchObject({ tokensIn: 100 / 40, tokensOut: 50 / 40 });
    // From 10/40 to 30/40.
    expect(cost.pointsPerMillionTokens).toBeCloseTo(50 / 0.01615, 6);
    // One of three answers, and a whole debate.
    expect(row(analysis, 'base').own!.cost.tokens).toBeCloseTo(50, 9);
    expect(row(analysis, 'debate').own!.cost.tokens).toBe(150);
  });

  it('charges the time of shared work to every method that uses it', async () => {
    const sharing = { settings: { shared_answers: 'study.task' } };
    const scripts: Script[] = [
      { method: 'debate', iterations: [debateRight(10)], ...sharing, seconds: { evaluation: 8 } },
      // It found the base model's answers of the debate, and the training debates of its first iteration are its own.
      {
        method: 'multiagent-ft',
        iterations: [debateRight(10), debateRight(20)],
        ...sharing,
        seconds: { evaluation: 1, record: { debate: 200 } },
      },
      // It found the training debates done.
      {
        method: 'no-critic',
        iterations: [debateRight(10), debateRight(20)],
        ...sharing,
        seconds: { evaluation: 1, record: { debate: 2 } },
      },
    ];
    const seconds = (key: string, analysis: StudyAnalysis) => row(analysis, key).own!.cost;
    const shared = await analysed(scripts);
    // 200 s for 1,000 written tokens, and 30 s of fine-tunes.
    expect(seconds('multiagent-ft', shared).training.deviceSeconds).toBe(230);
    expect(seconds('no-critic', shared).training.deviceSeconds).toBe(230);
    // Its own answers after training take what they took.
    expect(seconds('no-critic', shared).answer.deviceSeconds).toBeCloseTo(1 / 40, 12);
    const alone = await analysed(scripts.map((script) => ({ ...script, settings: {} })));
    expect(seconds('no-critic', alone).training.deviceSeconds).toBe(32);
  });

  it('has transfer to other tasks, before and after', async () => {
    const analysis = await analysed([
      {
        method: 'debate',
        iterations: [debateRight(10)],
        transfer: { other: { before: debateRight(8), after: [] } },
      },
      {
        method: 'multiagent-ft',
        iterations: [debateRight(10), debateRight(30)],
        transfer: { other: { before: debateRight(8), after: debateRight(18) } },
      },
    ]);
    const [moved] = row(analysis, 'multiagent-ft').own!.transfer;
    expect(moved).toMatchObject({ task: 'other', before: { accuracy: 0.2 }, after: { accuracy: 0.45 } });
    expect(moved!.change!.difference).toBeCloseTo(0.25, 12);
    expect(row(analysis, 'debate').own!.transfer[0]!.change).toBeNull();
  });

  it('has dataset sizes and the training votes by iteration', async () => {
    const { datasets, votes } = row(
      await analysed([
        { method: 'majority-ft', iterations: [debateRight(1), debateRight(2), debateRight(3)] },
      ]),
      'majority-ft',
    ).own!;
    expect(datasets).toEqual([
      { iteration: 1, role: 'generation', datasets: 1, rows: 8, fewest: 8 },
      { iteration: 2, role: 'generation', datasets: 1, rows: 7, fewest: 7 },
    ]);
    expect(votes[0]).toEqual({ iteration: 1, questions: 10, unanimous: 0.4, ties: 0.1, withoutLabel: 0.1 });
  });

  it('has no votes where gold answers are the labels', async () => {
    const analysis = await analysed([{ method: 'star', iterations: [debateRight(1), debateRight(2)] }]);
    expect(row(analysis, 'star').own!.votes).toEqual([]);
    expect(row(analysis, 'star').own!.datasets).toHaveLength(1);
  });
});

describe('an experiment with a guard', () => {
  it('counts after each iteration with the agents that were kept, also after its guard has ended it', async () => {
    const steps = (['best', 'best', 'collapsed'] as const).map((outcome, iteration) => ({
      iteration,
      value: 0.5,
      outcome,
      from: iteration === 0 ? null : iteration - 1,
    }));
    const guard = {
      metric: 'accuracy' as const,
      best: 1,
      stopped: 2,
      steps,
      rolledBack: [2],
      said: 'A collapse.',
    };
    const guarded: Script = {
      method: 'multiagent-ft',
      variant: 'guarded',
      iterations: [debateRight(20), debateRight(30), debateRight(4)],
      settings: { iterations: 4 },
      result: { guard },
    };
    const { curve, own } = row(await analysed([guarded]), 'guarded');
    expect(curve.map(({ accuracy }) => accuracy)).toEqual([0.5, 0.75, 0.75, 0.75, 0.75]);
    // What iteration 2 learnt from is what it learnt from, and the iterations that were never begun learnt from nothing.
    expect(own!.datasets.map(({ iteration }) => iteration)).toEqual([1, 2]);
  });
});

describe('variants of a method', () => {
  const trained = (variant: string | undefined, right: number): Script => ({
    method: 'multiagent-ft',
    ...(variant === undefined ? {} : { variant }),
    iterations: [debateRight(20), debateRight(right)],
  });

  it('are rows beside it, each with its own figures, tested against it and against each other', async () => {
    const scripts = [trained(undefined, 24), trained('dpo', 34), trained('kto', 30)];
    const analysis = await analysed([{ method: 'base', iterations: [debateRight(20)] }, ...scripts]);
    expect(analysis.reference).toBe('multiagent-ft');
    const own = analysis.settings[0]!.contenders.filter(({ votesOf }) => votesOf === null);
    expect(own.map(({ key, title, curve }) => [key, title, curve.at(-1)!.accuracy])).toEqual([
      ['base', 'Base', 0.5],
      ['multiagent-ft', 'Multiagent FT', 0.6],
      ['dpo', 'Multiagent FT (dpo)', 0.85],
      ['kto', 'Multiagent FT (kto)', 0.75],
    ]);
    expect(against(analysis, 'dpo', 'first')).toMatchObject({ wins: 0, losses: 10, pValue: 2 / 2 ** 10 });
    const pairs = analysis.variantPairs.map(({ reference, other, wins, losses }) => [
      reference,
      other,
      wins,
      losses,
    ]);
    expect(pairs).toEqual([
      ['multiagent-ft', 'dpo', 0, 10],
      ['multiagent-ft', 'kto', 0, 6],
      ['dpo', 'kto', 4, 0],
    ]);
    // Holm's correction is over the three.
    expect(analysis.variantPairs[0]!.adjusted).toBeCloseTo((3 * 2) / 2 ** 10, 12);
    const { accuracy, comparisons } = studyTables(analysis);
    const shown = accuracy.find(({ name }) => name === 'variants')!;
    const vote = ': vote over first answers';
    const titles = ['Multiagent FT', 'Multiagent FT (dpo)', 'Multiagent FT (kto)'];
    expect(shown.rows.map(([first]) => first)).toMatchObject(
      titles.flatMap((title) => [{ text: title }, { text: `${title}${vote}` }]),
    );
    expect(comparisons.map(({ name }) => name)).toEqual(['comparisons', 'variant-pairs']);
  });

  it('are compared with the reference alone when there is one of them, and never with the paper', async () => {
    const analysis = await analysed([trained(undefined, 24), trained('dpo', 34)]);
    expect(analysis.variantPairs).toEqual([]);
    expect(row(analysis, 'dpo').own!.agreements).toEqual([null, null]);
    expect(resultsDocument(analysis)).not.toHaveProperty('variantPairs');
  });

  it('have a table of their own also where their names begin like the method', async () => {
    const analysis = await analysed([trained(undefined, 24), trained('multiagent-ft-dpo', 34)]);
    expect(studyTables(analysis).accuracy.map(({ name }) => name)).toContain('variants');
  });

  it('are each in their table once, also where one of them is the reference', async () => {
    const base = { method: 'base' as const, iterations: [debateRight(20)] };
    const analysis = await analysed([base, trained('dpo', 34), trained('kto', 30)]);
    expect(analysis.reference).toBe('base');
    const { rows } = studyTables(analysis).accuracy.find(({ name }) => name === 'variants')!;
    const titles = rows.map(([first]) => first);
    expect(new Set(titles.map((title) => JSON.stringify(title))).size).toBe(titles.length);
  });
});
