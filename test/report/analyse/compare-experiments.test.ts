import { beforeAll, describe, expect, it } from 'vitest';
import {
  compareExperiments,
  differingQuestions,
  type EvaluatedExperiment,
  readEvaluated,
} from '../../../src/report/analyse/compare-experiments.ts';
import { experimentFiles, openStore } from '../../../src/store/store.ts';
import { temporaryFolder } from '../../store/temporary-folder.ts';
import { type Answered, writeEvaluatedExperiment } from '../evaluated-experiment.ts';

const store = openStore(temporaryFolder());
const evaluated = async (
  name: string,
  ...iterations: (readonly Answered[])[]
): Promise<EvaluatedExperiment> => {
  await writeEvaluatedExperiment(store.experiment(name).where, name, iterations);
  return readEvaluated(experimentFiles(store, name));
};

/** Questions q1, q2, …: `x` is right. By debate; the majority is always right, a single answer half the time. */
const marks = (line: string, from = 1): Answered[] =>
  line.split('').map((mark, index) => ({ text: `q${from + index}`, right: mark === 'x' }));

describe('two experiments', () => {
  let a: EvaluatedExperiment;
  let b: EvaluatedExperiment;
  beforeAll(async () => {
    a = await evaluated('a', marks('xx..'), marks('xxx.x'));
    b = await evaluated('b', marks('xx..'), marks('..xx', 1), marks('xxxx'));
  });

  it('are compared by the debates of the same questions: McNemar on where only one is right', () => {
    const [, first] = compareExperiments(a, b).iterations;
    // q1 and q2 only a, q4 only b; of three, one or none the other way: 2 (1 + 3) / 2^3.
    expect(first!.tests!.debate).toEqual({ wins: 2, losses: 1, pValue: 1 });
    expect(first!.tests!.majority).toEqual({ wins: 0, losses: 0, pValue: 1 });
    // Of a single answer it is the test of the mean over agents: half of them right in both.
    expect(first!.tests!.single).toEqual({ wins: 0, losses: 0, pValue: 1 });
    expect(first!.a!.debate.accuracy).toBe(3 / 4);
    expect(first!.b!.debate.accuracy).toBe(2 / 4);
    // sqrt(p (1 - p) / n)
    expect(first!.a!.debate.standardError).toBeCloseTo(Math.sqrt((0.75 * 0.25) / 4), 12);
    expect(first!.a!.single.accuracy).toBe(0.5);
  });

  it('have no test after an iteration that only one of them did', () => {
    const { iterations } = compareExperiments(a, b);
    expect(iterations.map(({ iteration }) => iteration)).toEqual([0, 1, 2]);
    expect(iterations[2]).toMatchObject({ a: null, b: { debate: { accuracy: 1 } }, tests: null });
  });

  it('are compared after one iteration when it is named, and both must have it', () => {
    expect(compareExperiments(a, b, 1).iterations).toHaveLength(1);
    expect(() => compareExperiments(a, b, 2)).toThrow('a has no evaluation of iteration 2. There are: 0, 1');
  });

  it('swapped, give the same test with its sides swapped', () => {
    const [, one] = compareExperiments(a, b).iterations;
    const [, other] = compareExperiments(b, a).iterations;
    expect(other!.tests!.debate).toEqual({ wins: 1, losses: 2, pValue: one!.tests!.debate.pValue });
  });

  it('are compared on the questions that both have, whatever their ids, and the others are named', () => {
    const { questions, iterations } = compareExperiments(a, b, 1);
    expect(questions).toMatchObject({ common: 4, onlyInA: ['heldout-00004'], onlyInB: [] });
    expect(iterations[0]!.a!.debate.accuracy).toBe(3 / 4);
  });

  it('pair questions by their text, not by their place', async () => {
    const later = await evaluated('later', marks('x.x', 3));
    const { questions, iterations } = compareExperiments(a, later, 0);
    // q3 and q4 are heldout-00002 and -00003 of a, heldout-00000 and -00001 of the other.
    expect(questions).toMatchObject({ common: 3, onlyInA: ['heldout-00000', 'heldout-00001'] });
    expect(iterations[0]!.tests!.debate).toMatchObject({ wins: 0, losses: 1 });
  });

  it('with no question in common are not compared: the error says so', async () => {
    const foreign = await evaluated('foreign', marks('xx', 100));
    expect(() => compareExperiments(a, foreign)).toThrow(
      expect.objectContaining({
        name: 'NoQuestionInCommon',
        message: expect.stringContaining(
          'a and foreign have no held-out question in common (5 and 2 questions)',
        ),
      }),
    );
  });

  it('tell which questions only one of them got right, with both outcomes', async () => {
    const differing = await differingQuestions(a, b, 1);
    expect(differing.map(({ right, a: ofA }) => [right, ofA.question])).toEqual([
      ['a', 'q1'],
      ['a', 'q2'],
      ['b', 'q4'],
    ]);
    expect(differing[2]!.a.debate).toEqual({ answer: 'no', correct: false });
    expect(differing[2]!.b.debate).toEqual({ answer: 'yes', correct: true });
  });

  it('tell which common questions have other gold answers', async () => {
    const other = await evaluated('other-gold', [{ text: 'q1', right: true, gold: 'aye' }]);
    expect(compareExperiments(a, other, 0).questions.otherGold).toEqual(['heldout-00000']);
    expect(compareExperiments(a, b).questions.otherGold).toEqual([]);
  });
});
