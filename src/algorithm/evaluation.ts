import { answerClasses, type AnswerEquality, type AnswerRules, type Gold } from './answer.ts';
import { addCutOff, countCutOff, type CutOff, type FinishReasons, noneCutOff } from './measures/cost.ts';
import { agreement, type Debate } from './debate.ts';
import { type Accuracy, accuracy, type GradedAnswers } from './measures/answers.ts';
import type { Score } from './measures/comparison.ts';
import { type PairedTest, pairedTest } from './measures/tests.ts';

/** What came of one held-out question. One line of evaluation.jsonl: enough to compute every figure again. */
export type Outcome = GradedAnswers & {
  readonly questionId: string;
  readonly question: string;
  readonly gold: string;
  /** Other answers that are right as well, where the question has some. */
  readonly accepted?: readonly string[] | undefined;
  /** By agent: its round-1 answer and whether that is right. */
  readonly single: readonly Judged[];
  /** The vote over round 1. */
  readonly majority: Judged;
  /** The vote over the last round. */
  readonly debate: Judged;
  readonly finishReasons: FinishReasons;
};
export type Judged = { readonly answer: string | null; readonly correct: boolean };

/** What the figures need of an outcome: little enough to be held for every question at once, as texts are not. */
export type Mark = {
  readonly questionId: string;
  /** How many of the agents' round-1 answers are right. */
  readonly single: Score;
  readonly majority: boolean;
  readonly debate: boolean;
  readonly cutOff: CutOff;
};

export function markOf({ questionId, single, majority, debate, finishReasons }: Outcome): Mark {
  return {
    questionId,
    single: { right: single.filter(({ correct }) => correct).length, of: single.length },
    majority: majority.correct,
    debate: debate.correct,
    cutOff: countCutOff(finishReasons),
  };
}

/** An evaluation of the agents on the held-out questions. */
export type Evaluation = {
  /** 0 is the base model. */
  readonly iteration: number;
  readonly questions: number;
  /** One answer, without debate: the mean over the agents' round-1 answers. */
  readonly single: Accuracy;
  /** The majority of the agents' round-1 answers. */
  readonly majority: Accuracy;
  /** The consensus of the debate. */
  readonly debate: Accuracy;
  /** This debate against the base model's on the same questions (McNemar, exact). */
  readonly debateVersusBase: PairedTest;
  /** How many of its responses were cut off. */
  readonly cutOff: CutOff;
};

/** Judges one held-out debate against the gold answer. */
export async function outcomeOf(
  held: Debate,
  gold: Gold,
  { equal, correct }: Pick<AnswerRules, 'equal' | 'correct'>,
): Promise<Outcome> {
  const voted = [held.majority.answer, held.consensus.answer];
  const judgements = await agreement([...held.answers, voted], gold.answer, (_, answer) =>
    correct(answer, gold, held.question.text),
  );
  const right = judgements.slice(0, held.answers.length);
  const [majority = false, debate = false] = judgements.at(-1) ?? [];
  return {
    questionId: held.question.id,
    question: held.question.text,
    gold: gold.answer,
    ...(gold.accepted === undefined ? {} : { accepted: gold.accepted }),
    single: held.answers.map(([answer = null], agent) => ({ answer, correct: right[agent]?.[0] === true })),
    majority: { answer: held.majority.answer, correct: majority },
    debate: { answer: held.consensus.answer, correct: debate },
    right,
    classes: await classesOf(held.answers, equal),
    finishReasons: held.finishReasons,
  };
}

/**
 * By agent, then by round: the number of the answer's class, 0 the first in the order of the answers' text. All rounds are put
 * into classes together, so that an answer can be recognised in a later round.
 */
async function classesOf(answers: Debate['answers'], equal: AnswerEquality): Promise<(number | null)[][]> {
  const classes = await answerClasses(answers.flat(), equal);
  const numbers = new Map(
    classes.flatMap((members, number) => members.map((each) => [each, number] as const)),
  );
  return answers.map((byRound) =>
    byRound.map((answer) => (answer === null ? null : (numbers.get(answer) ?? null))),
  );
}

/**
 * The figures of an evaluation (section 2.5 of the paper: inference is the same debate). `base` has the base model's marks;
 * they are paired by question id, so order does not matter, and a question without its counterpart is left out of the test.
 */
export function evaluate(iteration: number, marks: readonly Mark[], base: readonly Mark[]): Evaluation {
  const baseline = new Map(base.map(({ questionId, debate }) => [questionId, debate]));
  const paired = marks.filter(({ questionId }) => baseline.has(questionId));
  return {
    iteration,
    questions: marks.length,
    single: accuracy(marks.map(({ single }) => single.right / single.of)),
    majority: accuracy(marks.map(({ majority }) => Number(majority))),
    debate: accuracy(marks.map(({ debate }) => Number(debate))),
    debateVersusBase: pairedTest(
      paired.map(({ debate }) => debate),
      paired.map(({ questionId }) => baseline.get(questionId) === true),
    ),
    cutOff: marks.map(({ cutOff }) => cutOff).reduce(addCutOff, noneCutOff),
  };
}
