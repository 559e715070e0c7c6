import { type Accuracy, accuracy } from '../algorithm/measures/answers.ts';
import type { Mark } from '../algorithm/evaluation.ts';
import { type PairedTest, pairedTest } from '../algorithm/measures/tests.ts';
import { configDifference, type Difference } from '../config/resolve.ts';
import type { EvaluatedExperiment } from './evaluated-experiment.ts';
import { NoEvaluation } from './no-evaluation.ts';
import { NoQuestionInCommon } from './no-question-in-common.ts';

/** Two experiments on the held-out questions that both have. */
export type Comparison = {
  readonly a: string;
  readonly b: string;
  /** `before` is a's setting, `after` is b's; null when the config.json of one of them is gone. */
  readonly config: readonly Difference[] | null;
  readonly questions: {
    readonly common: number;
    /** Ids, as the other lists: a's, of common questions whose gold answers are not written alike. */
    readonly otherGold: readonly string[];
    readonly onlyInA: readonly string[];
    readonly onlyInB: readonly string[];
  };
  readonly iterations: readonly IterationComparison[];
};

/** After an iteration, 0 being the base model. Null for what an experiment did not do. */
export type IterationComparison = {
  readonly iteration: number;
  readonly a: Figures | null;
  readonly b: Figures | null;
  /** McNemar, exact: won is what only a got right. A single answer has none: it is a mean over agents, neither right nor wrong. */
  readonly tests: { readonly majority: PairedTest; readonly debate: PairedTest } | null;
};

/** Of the common questions. */
export type Figures = { readonly [Method in 'single' | 'majority' | 'debate']: Accuracy };

/**
 * Compares two experiments, question by question: the same question is one of the same text, whatever its id.
 *
 * @param iteration only this one; all unless told
 * @throws NoQuestionInCommon, NoEvaluation
 */
export function compareExperiments(
  a: EvaluatedExperiment,
  b: EvaluatedExperiment,
  iteration?: number,
): Comparison {
  const common = [...a.questions.keys()].filter((key) => b.questions.has(key));
  if (common.length === 0)
    throw new NoQuestionInCommon(
      { experiment: a.experiment, questions: a.questions.size },
      { experiment: b.experiment, questions: b.questions.size },
    );
  const onlyIn = (one: EvaluatedExperiment, other: EvaluatedExperiment) =>
    [...one.questions].filter(([key]) => !other.questions.has(key)).map(([, { id }]) => id);
  return {
    a: a.experiment,
    b: b.experiment,
    config: a.config === null || b.config === null ? null : configDifference(a.config, b.config),
    questions: {
      common: common.length,
      otherGold: otherGold(a, b, common),
      onlyInA: onlyIn(a, b),
      onlyInB: onlyIn(b, a),
    },
    iterations: iterationsOf(a, b, iteration).map((each) => compareIteration(each, a, b, common)),
  };
}

function otherGold(a: EvaluatedExperiment, b: EvaluatedExperiment, common: readonly string[]): string[] {
  return common.flatMap((key) => {
    const ofA = a.questions.get(key);
    return ofA === undefined || ofA.gold === b.questions.get(key)?.gold ? [] : [ofA.id];
  });
}

function iterationsOf(a: EvaluatedExperiment, b: EvaluatedExperiment, wanted?: number): number[] {
  if (wanted === undefined)
    return [...new Set([...a.marks.keys(), ...b.marks.keys()])].toSorted((one, other) => one - other);
  for (const { experiment, marks } of [a, b])
    if (!marks.has(wanted)) throw new NoEvaluation(experiment, wanted, [...marks.keys()]);
  return [wanted];
}

function compareIteration(
  iteration: number,
  a: EvaluatedExperiment,
  b: EvaluatedExperiment,
  common: readonly string[],
): IterationComparison {
  const [ofA, ofB] = [a.marks.get(iteration), b.marks.get(iteration)];
  // Of this iteration too: what one of them has not been asked after it cannot be paired.
  const keys = common.filter((key) => (ofA?.has(key) ?? true) && (ofB?.has(key) ?? true));
  const marksIn = (marks: ReadonlyMap<string, Mark>) => keys.flatMap((key) => marks.get(key) ?? []);
  const [marksA, marksB] = [ofA && marksIn(ofA), ofB && marksIn(ofB)];
  return {
    iteration,
    a: marksA === undefined ? null : figuresOf(marksA),
    b: marksB === undefined ? null : figuresOf(marksB),
    tests:
      marksA === undefined || marksB === undefined
        ? null
        : { majority: testOf('majority', marksA, marksB), debate: testOf('debate', marksA, marksB) },
  };
}

function testOf(method: 'majority' | 'debate', a: readonly Mark[], b: readonly Mark[]): PairedTest {
  return pairedTest(
    a.map((mark) => mark[method]),
    b.map((mark) => mark[method]),
  );
}

function figuresOf(marks: readonly Mark[]): Figures {
  return {
    single: accuracy(marks.map(({ single }) => single)),
    majority: accuracy(marks.map(({ majority }) => Number(majority))),
    debate: accuracy(marks.map(({ debate }) => Number(debate))),
  };
}
