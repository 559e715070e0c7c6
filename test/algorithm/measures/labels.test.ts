import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { DatasetRow } from '../../../src/algorithm/dataset.ts';
import { rightAnswers } from '../../../src/algorithm/labelled-debate.ts';
import {
  calibrationOf,
  type JudgedLabel,
  judgeLabel,
  judgeLearnt,
  labelQuality,
  purityOf,
} from '../../../src/algorithm/measures/labels.ts';
import { numbers, said, scripted } from '../scripted-debate.ts';

/** A debate of three agents in two rounds, by their answers. */
const debated = (...answers: readonly (readonly [string | null, string | null])[]) =>
  scripted(answers.map(([first, second], agent) => [said(agent + 1, 1, first), said(agent + 1, 2, second)]));
const judged = async (debate: Awaited<ReturnType<typeof debated>>, answer: string) =>
  judgeLabel(debate, await rightAnswers(debate, { questionId: 'q', answer }, numbers));

describe('a label beside the gold answer', () => {
  it('is right or wrong, and divides the first answers into chosen and rejected ones', async () => {
    const debate = await debated(['7', '8'], ['8', '8'], ['8.0', '7']);
    // Two agents end in 8: both first answers of 8 are chosen, and 7 is rejected.
    expect(await judged(debate, '8')).toMatchObject({
      votes: 2,
      tied: 1,
      right: true,
      chosen: { right: 2, of: 2 },
      rejected: { right: 0, of: 1 },
    });
    expect(await judged(debate, '7')).toMatchObject({
      right: false,
      chosen: { right: 0, of: 2 },
      rejected: { right: 1, of: 1 },
    });
  });

  it('counts an answer that could not be read among the rejected ones, and is none without any answer', async () => {
    const debate = await debated([null, '8'], ['8', '8'], ['9', null]);
    expect(await judged(debate, '8')).toMatchObject({
      chosen: { right: 1, of: 1 },
      rejected: { right: 0, of: 2 },
    });
    expect(await judged(await debated([null, null], [null, null]), '8')).toBeNull();
  });
});

/** A label of three agents that judged by a vote of the last answers. */
const label = (questionId: string, votes: number, right: boolean): JudgedLabel => ({
  questionId,
  votes,
  tied: 1,
  right,
  chosen: { right: right ? votes : 0, of: votes },
  rejected: { right: right ? 0 : 1, of: 3 - votes },
});
const labels = [
  label('a', 3, true),
  label('b', 3, true),
  label('c', 2, true),
  label('d', 2, false),
  label('e', 1, false),
];

describe('the quality of labels', () => {
  it('is the precision by the number of votes, and of those with enough votes to be learnt from', () => {
    const quality = labelQuality(labels, { minVotes: 2 });
    expect(quality.byVotes.map(({ votes, precision }) => [votes, precision!.value, precision!.of])).toEqual([
      [1, 0, 1],
      [2, 1 / 2, 2],
      [3, 1, 2],
    ]);
    expect(quality.precision).toMatchObject({ value: 3 / 4, of: 4 });
    expect(quality.precision!.standardError).toBeCloseTo(Math.sqrt((0.75 * 0.25) / 4), 12);
  });

  it('has how right the chosen answers are, and how wrong the rejected ones', () => {
    const { chosenRight, rejectedWrong } = labelQuality(labels, { minVotes: 2 });
    // Of 3 + 3 + 2 + 2 chosen ones all but the two of d; of the rejected ones of c and d one is right.
    expect(chosenRight).toMatchObject({ value: 8 / 10, of: 10 });
    expect(rejectedWrong).toMatchObject({ value: 1 / 2, of: 2 });
  });

  it('counts a question of several seeds once, and is unknown without labels', () => {
    expect(labelQuality([...labels, ...labels], { minVotes: 2 }).precision).toMatchObject({
      of: 8,
      questions: 4,
    });
    expect(labelQuality([], { minVotes: 1 })).toEqual({
      byVotes: [],
      precision: null,
      chosenRight: null,
      rejectedWrong: null,
    });
  });
});

describe('the calibration of votes', () => {
  it('is how far labels are from being right as often as their share of the votes', () => {
    // Of three votes: 2 of 2 right where 1 is expected, 1 of 2 where 2/3 is, 0 of 1 where 1/3 is.
    const { expected, right, error } = calibrationOf(labels, 3)!;
    expect(expected).toBeCloseTo((1 + 1 + 2 / 3 + 2 / 3 + 1 / 3) / 5, 12);
    expect(right).toMatchObject({ value: 3 / 5, of: 5, questions: 5 });
    expect(error).toBeCloseTo((2 * (1 / 6) + 1 / 3) / 5, 12);
  });

  it('has the standard error of leaving out one question at a time, with all of its seeds', () => {
    // Without a or b: (1/3 + 1/3) / 4. Without c: (2/3 + 1/3) / 4. Without d: (1/3 + 1/3) / 4. Without e: (1/3) / 4.
    const without = [1 / 6, 1 / 6, 1 / 4, 1 / 6, 1 / 12];
    const mean = without.reduce((sum, each) => sum + each, 0) / 5;
    const squares = without.reduce((sum, each) => sum + (each - mean) ** 2, 0);
    const expected = Math.sqrt((4 / 5) * squares);
    expect(calibrationOf(labels, 3)!.standardError).toBeCloseTo(expected, 12);
    // Twice the same seeds know no more.
    expect(calibrationOf([...labels, ...labels], 3)!.standardError).toBeCloseTo(expected, 12);
    expect(calibrationOf([], 3)).toBeNull();
  });

  it('is perfect where as many labels are right as the votes say, and lies within 0 and 1', () => {
    const half = [label('a', 3, true), label('b', 3, false)];
    expect(calibrationOf(half, 6)).toMatchObject({ expected: 0.5, error: 0 });
    const any = fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 6 }), fc.boolean()), { minLength: 1 });
    fc.assert(
      fc.property(any, (drawn) => {
        const all = drawn.map(([id, votes, right]) => label(String(id), votes, right));
        const { expected, right, error, standardError } = calibrationOf(all, 6)!;
        // The mean of distances is at least the distance of the means.
        expect(error).toBeGreaterThanOrEqual(Math.abs(expected - right.value) - 1e-12);
        expect(error).toBeLessThanOrEqual(1);
        expect(standardError).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('the purity of what was learnt', () => {
  const first = { completion: 'first answer' } as const;
  const revised = { completion: 'revision' } as const;
  const datasets: { role: string; rows: DatasetRow[] }[] = [
    // Two agents imitate their first answers; the other two datasets of the role compare.
    { role: 'generation', rows: [{ questionId: 'a', agent: 1, ...first }] },
    {
      role: 'generation',
      rows: [
        { questionId: 'a', agent: 2, ...first, ending: { chosen: 2, rejected: 3 } },
        { questionId: 'b', agent: 2, ...first, ending: { chosen: 3, rejected: 2 } },
      ],
    },
    {
      role: 'critic',
      rows: [
        { questionId: 'a', agent: 1, ...revised, ending: { chosen: 1, rejected: 2, label: true } },
        { questionId: 'a', agent: 1, ...revised, ending: { chosen: 1, rejected: 2, label: false } },
        { questionId: 'c', agent: 1, ...revised },
      ],
    },
  ];
  // By agent, then by round.
  const rights = new Map([
    ['a', [[true, true], [false, true], [true, false]]],
    ['b', [[true, true], [false, true], [true, true]]],
  ]); // prettier-ignore

  it('judges each row by the answers of its own sides', () => {
    const learnt = judgeLearnt(datasets, rights);
    expect(learnt.get('a')).toEqual([
      // Agent 1 right, agent 2 wrong, both chosen; agent 3 right, but rejected.
      { role: 'generation', chosen: { right: 1, of: 2 }, rejected: { right: 1, of: 1 } },
      { role: 'critic', chosen: { right: 1, of: 1 }, rejected: { right: 1, of: 1 } },
    ]);
    expect(learnt.get('b')).toEqual([
      { role: 'generation', chosen: { right: 1, of: 1 }, rejected: { right: 0, of: 1 } },
    ]);
    // Nobody knows the answer to c.
    expect([...learnt.keys()]).toEqual(['a', 'b']);
  });

  it('is the share of sides that are what they should be, over questions', () => {
    const learnt = judgeLearnt(datasets, rights);
    const all = ['a', 'b', 'd'].map((id) => ({ ...label(id, 3, true), learnt: learnt.get(id) ?? [] }));
    const purity = purityOf(all)!;
    expect(purity.byRole.map(({ role }) => role)).toEqual(['generation', 'critic']);
    expect(purity.byRole[0]).toMatchObject({
      chosenRight: { value: 2 / 3, of: 3, questions: 2 },
      rejectedWrong: { value: 1 / 2, of: 2 },
      right: { value: 3 / 5, of: 5 },
    });
    expect(purity.all.right).toMatchObject({ value: 4 / 7, of: 7, questions: 2 });
    // Of a: 2 of 5 sides; of b: 2 of 2.
    const error = Math.sqrt((2 - (5 * 4) / 7) ** 2 + (2 - (2 * 4) / 7) ** 2) / 7;
    expect(purity.all.right!.standardError).toBeCloseTo(error, 12);
  });

  it('is unknown where an earlier version judged, and nothing where nothing was learnt', () => {
    expect(purityOf(labels)).toBeNull();
    expect(purityOf([{ ...label('a', 1, true), learnt: [] }])).toEqual({
      all: { chosenRight: null, rejectedWrong: null, right: null },
      byRole: [],
    });
  });

  it('is judged of rows that are already chosen: no choice of them can depend on it', () => {
    expectTypeOf(judgeLearnt).returns.not.toExtend<readonly DatasetRow[]>();
    expectTypeOf<keyof DatasetRow>().toEqualTypeOf<
      'questionId' | 'agent' | 'completion' | 'weight' | 'ending'
    >();
  });
});
