import { describe, expect, it } from 'vitest';
import {
  answerChoice,
  chosenIteration,
  guardCourse,
  type GuardFigures,
  guardSentence,
  type GuardSettings,
  guardVerdict,
  lineageOf,
  rolledBack,
  standingEvaluations,
} from '../../src/algorithm/guard.ts';
import { lastVotes } from '../../src/algorithm/measures/answers.ts';

/** Figures of iterations with these accuracies; agreement is what is left to 1. */
const figures = (...accuracies: readonly number[]): GuardFigures[] =>
  accuracies.map((accuracy, iteration) => ({
    iteration,
    questions: 100,
    accuracy: { accuracy, standardError: 0.05 },
    firstVote: { accuracy, standardError: 0.05 },
    debateVersusFirstVote: { wins: 0, losses: 0, pValue: 1 },
    agreement: 1 - accuracy,
    entropy: 0,
    unreadable: 0,
    length: 10,
    chosenReward: null,
    ownNll: null,
    klToBase: null,
  }));
const settings: GuardSettings = { metric: 'accuracy', maxDrop: 0.1, patience: 1, onCollapse: 'stop' };
const judge = (accuracies: readonly number[], more: Partial<GuardSettings> = {}) =>
  guardCourse(figures(...accuracies), { ...settings, ...more });
const outcomes = (course: ReturnType<typeof guardCourse>) => course.steps.map(({ outcome }) => outcome);

describe('a guard', () => {
  it('takes the iteration with the highest metric as the best, and the earliest of equal ones', () => {
    expect(judge([0.5, 0.7, 0.7, 0.65])).toMatchObject({ best: 1, stopped: null });
    expect(outcomes(judge([0.5, 0.7, 0.7, 0.65]))).toEqual(['best', 'best', 'held', 'held']);
    expect(judge([0.5, 0.5, 0.45]).best).toBe(0);
    expect(judge([0.5]).best).toBe(0);
  });

  it('counts a drop from the best iteration, and not from the one before', () => {
    // Each is 0.06 below the one before it.
    expect(judge([0.7, 0.64, 0.58])).toMatchObject({ best: 0, stopped: 2 });
    expect(outcomes(judge([0.7, 0.64, 0.58]))).toEqual(['best', 'held', 'collapsed']);
  });

  it('takes a drop of exactly max_drop for none', () => {
    expect(judge([0.8, 0.7]).stopped).toBeNull();
    expect(judge([0.8, 0.699]).stopped).toBe(1);
    expect(judge([0.8, 0.8, 0.79], { maxDrop: 0 }).stopped).toBe(2);
  });

  it('ends the experiment after as many drops in a row as its patience', () => {
    const patient = { patience: 2 };
    expect(judge([0.5, 0.7, 0.3, 0.3, 0.3], patient)).toMatchObject({ best: 1, stopped: 3 });
    // One that is no drop begins the count again.
    const course = judge([0.5, 0.7, 0.3, 0.65, 0.3], patient);
    expect(course).toMatchObject({ best: 1, stopped: null });
    expect(outcomes(course)).toEqual(['best', 'best', 'dropped', 'held', 'dropped']);
  });

  it('judges nothing after it has ended the experiment', () => {
    expect(judge([0.5, 0.1, 0.9])).toMatchObject({ best: 0, stopped: 1 });
    expect(judge([0.5, 0.1, 0.9]).steps).toHaveLength(2);
  });

  it('goes on from the best iteration, and counts drops from zero again after each collapse', () => {
    const course = judge([0.5, 0.7, 0.3, 0.3, 0.3, 0.8], { patience: 2, onCollapse: 'continue' });
    expect(outcomes(course)).toEqual(['best', 'best', 'dropped', 'collapsed', 'dropped', 'best']);
    expect(course.steps.map(({ from }) => from)).toEqual([null, 0, 1, 2, 1, 4]);
    expect(course).toMatchObject({ best: 5, stopped: null });
    // The drop of iteration 4 was made good by 5, which began with its agents.
    expect(lineageOf(course, 5)).toEqual([1, 4, 5]);
    expect(rolledBack(course)).toEqual([2, 3]);
  });

  it('rolls back a second time to the same iteration when what follows a rollback collapses too', () => {
    const course = judge([0.5, 0.7, 0.2, 0.3, 0.72], { onCollapse: 'continue' });
    expect(outcomes(course)).toEqual(['best', 'best', 'collapsed', 'collapsed', 'best']);
    expect(course.steps.map(({ from }) => from)).toEqual([null, 0, 1, 1, 1]);
    expect(rolledBack(course)).toEqual([2, 3]);
    expect(lineageOf(course, 3)).toEqual([1, 3]);
  });

  it('rolls back what came after the best iteration, also where nothing collapsed', () => {
    const course = judge([0.5, 0.7, 0.66, 0.65]);
    expect(rolledBack(course)).toEqual([2, 3]);
    const evaluations = [0, 1, 2, 3].map((iteration) => ({ iteration }));
    const guard = { best: course.best, rolledBack: rolledBack(course) };
    expect(chosenIteration({ evaluations, guard })).toBe(1);
    expect(standingEvaluations({ evaluations, guard }).map(({ iteration }) => iteration)).toEqual([0, 1]);
    expect(chosenIteration({ evaluations })).toBe(3);
    expect(standingEvaluations({ evaluations })).toEqual(evaluations);
  });

  it('can decide by agreement, for which no gold answer is needed', () => {
    expect(judge([0.5, 0.3, 0.6], { metric: 'agreement' })).toMatchObject({ best: 1, stopped: 2 });
  });

  it('says what it has decided, with the figures', () => {
    expect(guardSentence(judge([0.5, 0.7]), settings)).toBe(
      'So far, by validation accuracy, iteration 1 is the best (70.0 %).',
    );
    expect(guardSentence(judge([0.5, 0.7, 0.3]), settings)).toBe(
      'A collapse: by validation accuracy, iteration 1 is the best (70.0 %); iteration 2 has 30.0 %, a drop of more than max_drop, 10.0 points. The experiment has ended, with the agents of iteration 1.',
    );
    expect(guardVerdict(judge([0.5, 0.7, 0.3]), settings)).toBe(
      'The agents are those of iteration 1, the best by validation accuracy (70.0 %). A drop of more than 10.0 points (max_drop) was a collapse after iteration 2 (30.0 %): the agents went back to the best iteration before it, and the experiment ended. Rolled back: iteration 2.',
    );
  });
});

describe('the choice of how an experiment answers', () => {
  const [first] = figures(0.5);
  const chosen = (saved: number, spoilt: number) =>
    answerChoice({ ...first!, debateVersusFirstVote: { wins: saved, losses: spoilt, pValue: 0.5 } }).by;

  it('is the vote over the first answers only where the debate spoils more than it saves', () => {
    expect(chosen(2, 3)).toBe('first vote');
    expect(chosen(3, 3)).toBe('debate');
    expect(chosen(3, 2)).toBe('debate');
    expect(chosen(0, 0)).toBe('debate');
  });
});

describe('the agreement of the last answers', () => {
  const votes = (...last: (number | null)[]) =>
    lastVotes({ right: [], classes: last.map((each) => [0, each]) });

  it('is the share of the largest group, with the entropy of the readable answers in bits', () => {
    expect(votes(0, 0, 0)).toEqual({ agreement: 1, entropy: 0 });
    expect(votes(0, 0, 1, 1)).toEqual({ agreement: 0.5, entropy: 1 });
    expect(votes(0, 1, 2, 3)).toEqual({ agreement: 0.25, entropy: 2 });
    // 2/3 log2(3/2) + 1/3 log2(3)
    expect(votes(0, 0, 1).entropy).toBeCloseTo(0.9183, 4);
  });

  it('has answers that cannot be read agree with no other', () => {
    expect(votes(0, 0, null, null)).toEqual({ agreement: 0.5, entropy: 0 });
    expect(votes(null, null)).toEqual({ agreement: 0, entropy: 0 });
  });
});
