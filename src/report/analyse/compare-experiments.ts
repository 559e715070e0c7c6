/** How do two experiments differ, on the held-out questions that both have? */
import { type Mark, markOf, type Outcome } from '../../algorithm/evaluation.ts';
import { type Accuracy, accuracy } from '../../algorithm/measures/answers.ts';
import { comparePaired, type Score } from '../../algorithm/measures/comparison.ts';
import type { PairedTest } from '../../algorithm/measures/tests.ts';
import { configDifference, type Difference } from '../../config/resolve.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';
import { questionKey } from '../../questions/task.ts';
import type { ExperimentFiles } from '../../store/store.ts';
import { evaluationRows, readConfig, readResult } from '../read/experiment.ts';

/** An experiment has not been evaluated after the iteration that was asked for. */
export class NoEvaluation extends ColloquyError {
  override name = 'NoEvaluation' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(experiment: string, iteration: number, evaluated: readonly number[]) {
    super(
      `${experiment} has no evaluation of iteration ${iteration}. There are: ${evaluated.join(', ')} (0 is the base model).`,
    );
  }
}

/** Two experiments share no held-out question, so they cannot be compared. */
export class NoQuestionInCommon extends ColloquyError {
  override name = 'NoQuestionInCommon' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;

  constructor(a: { experiment: string; questions: number }, b: { experiment: string; questions: number }) {
    super(
      `${a.experiment} and ${b.experiment} have no held-out question in common (${a.questions} and ${b.questions} questions): ` +
        'only experiments that are measured on the same questions can be compared. Give both the same task and seed, or the same test_file.',
    );
  }
}

/** How a finished experiment answered its held-out questions, without their texts, which may be larger than memory. */
export type EvaluatedExperiment = {
  readonly experiment: string;
  readonly files: ExperimentFiles;
  /** The resolved config in config.json; null when the file is missing. */
  readonly config: unknown;
  /** By iteration, 0 the base model; then by the question's key (see questionKey), in the order of the questions. */
  readonly marks: ReadonlyMap<number, ReadonlyMap<string, Mark>>;
  /** The iterations whose training is no part of its agents, by its guard. */
  readonly rolledBack: readonly number[];
  /** Its held-out questions by key. */
  readonly questions: ReadonlyMap<string, { readonly id: string; readonly gold: string }>;
};

/** @throws NothingToReport when the experiment has not finished; ArtifactDamaged, ArtifactMissing */
export async function readEvaluated(files: ExperimentFiles): Promise<EvaluatedExperiment> {
  const { name, guard } = await readResult(files);
  const marks = new Map<number, Map<string, Mark>>();
  const questions = new Map<string, { id: string; gold: string }>();
  for await (const row of evaluationRows(files)) {
    const key = questionKey(row.question);
    const ofIteration = marks.get(row.iteration) ?? new Map<string, Mark>();
    marks.set(row.iteration, ofIteration.set(key, markOf(row)));
    questions.set(key, { id: row.questionId, gold: row.gold });
  }
  const { rolledBack = [] } = guard ?? {};
  return { experiment: name, files, config: await readConfig(files), marks, rolledBack, questions };
}

/**
 * The outcomes of some questions in an iteration, by the question's key, in the order of the questions.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
async function readOutcomes(
  { files }: EvaluatedExperiment,
  iteration: number,
  keys: ReadonlySet<string>,
): Promise<Map<string, Outcome>> {
  const outcomes = new Map<string, Outcome>();
  for await (const { iteration: at, ...outcome } of evaluationRows(files)) {
    const key = questionKey(outcome.question);
    if (at === iteration && keys.has(key)) outcomes.set(key, outcome);
  }
  return outcomes;
}

/** Two experiments on the held-out questions that both have. */
export type Comparison = {
  readonly a: string;
  readonly b: string;
  /** `before` is a's setting, `after` is b's; null when the config.json of one of them is gone. */
  readonly config: readonly Difference[] | null;
  readonly questions: {
    readonly common: number;
    /** Ids (as in the other lists, those of a): common questions whose gold answers are written differently. */
    readonly otherGold: readonly string[];
    readonly onlyInA: readonly string[];
    readonly onlyInB: readonly string[];
  };
  readonly iterations: readonly IterationComparison[];
  /** The last of them that both have and no guard has rolled back; null when there is none. */
  readonly last: number | null;
  /** What a guard has rolled back. */
  readonly rolledBack: { readonly a: readonly number[]; readonly b: readonly number[] };
};

/** After an iteration, 0 being the base model. Null where an experiment has no such iteration. */
export type IterationComparison = {
  readonly iteration: number;
  readonly a: Figures | null;
  readonly b: Figures | null;
  /**
   * The exact sign-flip test of the questions' scores, which for the two votes is McNemar's; a win is a question that a got right, or, for a
   * single answer, that more of a's agents got right.
   */
  readonly tests: { readonly [Method in keyof Figures]: PairedTest } | null;
};

/** Accuracies on the common questions. */
export type Figures = { readonly [Method in 'single' | 'majority' | 'debate']: Accuracy };

/**
 * Compares two experiments, question by question. Questions are the same when their texts are, whatever their ids.
 *
 * @param iteration only this one (default: all)
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
  const iterations = iterationsOf(a, b, iteration).map((each) => compareIteration(each, a, b, common));
  const inBoth = iterations.filter(({ tests }) => tests !== null).map((each) => each.iteration);
  const standing = inBoth.filter((each) => !a.rolledBack.includes(each) && !b.rolledBack.includes(each));
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
    iterations,
    // One that was asked for by name is shown whatever a guard says.
    last: (iteration === undefined ? standing : inBoth).at(-1) ?? null,
    rolledBack: { a: a.rolledBack, b: b.rolledBack },
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
  // A question can be paired only when both were asked it after this iteration.
  const keys = common.filter((key) => (ofA?.has(key) ?? true) && (ofB?.has(key) ?? true));
  const marksIn = (marks: ReadonlyMap<string, Mark>) => keys.flatMap((key) => marks.get(key) ?? []);
  const [marksA, marksB] = [ofA && marksIn(ofA), ofB && marksIn(ofB)];
  const test = (score: (mark: Mark) => Score) => testOf(marksA ?? [], marksB ?? [], score);
  return {
    iteration,
    a: marksA === undefined ? null : figuresOf(marksA),
    b: marksB === undefined ? null : figuresOf(marksB),
    tests:
      marksA === undefined || marksB === undefined
        ? null
        : {
            single: test(({ single }) => single),
            majority: test(({ majority }) => ({ right: Number(majority), of: 1 })),
            debate: test(({ debate }) => ({ right: Number(debate), of: 1 })),
          },
  };
}

/** Both lists are about the same questions in the same order. */
function testOf(a: readonly Mark[], b: readonly Mark[], score: (mark: Mark) => Score): PairedTest {
  const pairs = a.flatMap((mark, index) => {
    const other = b[index];
    return other === undefined
      ? []
      : [{ question: mark.questionId, first: score(mark), second: score(other) }];
  });
  const { wins = 0, losses = 0, pValue = 1 } = comparePaired(pairs) ?? {};
  return { wins, losses, pValue };
}

function figuresOf(marks: readonly Mark[]): Figures {
  return {
    single: accuracy(marks.map(({ single }) => single.right / single.of)),
    majority: accuracy(marks.map(({ majority }) => Number(majority))),
    debate: accuracy(marks.map(({ debate }) => Number(debate))),
  };
}

/** A question that the debates of only one of two experiments got right. */
export type DifferingQuestion = {
  readonly right: 'a' | 'b';
  readonly a: Outcome;
  readonly b: Outcome;
};

/**
 * The common questions that only one of two experiments' debates got right after an iteration, in the order of the first experiment's
 * questions. Their texts are read a second time, so that only those of these questions are held.
 *
 * @throws ArtifactMissing, ArtifactDamaged
 */
export async function differingQuestions(
  a: EvaluatedExperiment,
  b: EvaluatedExperiment,
  iteration: number,
): Promise<DifferingQuestion[]> {
  const [marksOfA, marksOfB] = [a.marks.get(iteration), b.marks.get(iteration)];
  const keys = new Set(
    [...(marksOfA ?? [])]
      .filter(([key, { debate }]) => marksOfB?.has(key) && marksOfB.get(key)?.debate !== debate)
      .map(([key]) => key),
  );
  const [ofA, ofB] = [await readOutcomes(a, iteration, keys), await readOutcomes(b, iteration, keys)];
  return [...ofA].flatMap(([key, outcome]) => {
    const other = ofB.get(key);
    return other === undefined ? [] : [{ right: outcome.debate.correct ? 'a' : 'b', a: outcome, b: other }];
  });
}
