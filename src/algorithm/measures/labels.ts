/** How good are the labels that agents learn from? Judged by gold answers, which only measure here and never reach a dataset. */
import type { AnswerRules } from '../answer.ts';
import { agreement, type Debate } from '../debate.ts';
import { type AgreementWindow, isInWindow } from '../labelled-debate.ts';
import type { GoldLabel } from '../question.ts';
import { type Ratio, ratioOverQuestions } from './ratio.ts';

/** The consensus on a training question, and the first answers that it divides, beside the gold answer. */
export type JudgedLabel = {
  readonly questionId: string;
  /** How many agents gave the consensus. */
  readonly votes: number;
  /** How many answers had as many votes: 2 or more for a tie, which a draw settled. */
  readonly tied: number;
  /** Whether the consensus is the gold answer. */
  readonly right: boolean;
  /** The first answers that equal the consensus, which generation models learn from, and how many of them are right. */
  readonly chosen: Counted;
  /** The other first answers, and how many of them are right. */
  readonly rejected: Counted;
};

type Counted = { readonly right: number; readonly of: number };

/** Null for a debate without a consensus. */
export async function judgeLabel(
  debate: Debate,
  gold: GoldLabel,
  rules: Pick<AnswerRules, 'correct'>,
): Promise<JudgedLabel | null> {
  const { answer, votes, tied } = debate.consensus;
  if (answer === null) return null;
  const firsts = debate.answers.map(([first = null]) => first);
  const judged = await agreement([firsts, [answer]], gold.answer, (_, given) =>
    rules.correct(given, gold, debate.question.text),
  );
  const [rights = [], [right = false] = []] = judged;
  const counted = (chosen: boolean): Counted => {
    const those = rights.filter((_, agent) => (debate.agrees[agent]?.[0] === true) === chosen);
    return { right: those.filter(Boolean).length, of: those.length };
  };
  return {
    questionId: debate.question.id,
    votes,
    tied,
    right,
    chosen: counted(true),
    rejected: counted(false),
  };
}

/** How good labels are, over questions. A share is null where nothing was counted. */
export type LabelQuality = {
  /** The share of labels that are right, by the number of votes that they had, the fewest first. */
  readonly byVotes: readonly { readonly votes: number; readonly precision: Ratio | null }[];
  /** The same of all labels that are learnt from. */
  readonly precision: Ratio | null;
  /** Of first answers to these questions: the share of the chosen ones that are right, and of the rejected ones that are wrong. */
  readonly chosenRight: Ratio | null;
  readonly rejectedWrong: Ratio | null;
};

/** @param window how many votes a label has to have to be learnt from */
export function labelQuality(labels: readonly JudgedLabel[], window: AgreementWindow): LabelQuality {
  const used = labels.filter(({ votes }) => isInWindow(votes, window));
  const counts = [...new Set(labels.map(({ votes }) => votes))].toSorted((a, b) => a - b);
  return {
    byVotes: counts.map((count) => ({
      votes: count,
      precision: precisionOf(labels.filter(({ votes }) => votes === count)),
    })),
    precision: precisionOf(used),
    chosenRight: overQuestions(used, ({ chosen }) => chosen),
    rejectedWrong: overQuestions(used, ({ rejected: { right, of } }) => ({ right: of - right, of })),
  };
}

function precisionOf(labels: readonly JudgedLabel[]): Ratio | null {
  return overQuestions(labels, ({ right }) => ({ right: Number(right), of: 1 }));
}

function overQuestions(
  labels: readonly JudgedLabel[],
  counts: (label: JudgedLabel) => Counted,
): Ratio | null {
  const ratio = ratioOverQuestions();
  for (const label of labels) {
    const { right, of } = counts(label);
    ratio.add(label.questionId, right, of);
  }
  return ratio.result();
}
