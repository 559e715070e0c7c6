/** How good are the labels that agents learn from? Judged by gold answers, which only measure here and never reach a dataset. */
import type { DatasetRow } from '../dataset.ts';
import type { Debate } from '../debate.ts';
import { type AgreementWindow, isInWindow } from '../labelled-debate.ts';
import { type Ratio, ratioOverQuestions } from './answers.ts';

/** The label of a training question, and the first answers that it divides, beside the gold answer. */
export type JudgedLabel = {
  readonly questionId: string;
  /** How many answers voted for it. */
  readonly votes: number;
  /** How many answers had as many votes: 2 or more for a tie. */
  readonly tied: number;
  /** Whether it is the gold answer. */
  readonly right: boolean;
  /** The first answers that equal the label, and how many of them are right. */
  readonly chosen: Counted;
  /** The other first answers, and how many of them are right. */
  readonly rejected: Counted;
  /** What models learnt from the question. Earlier versions did not judge it. */
  readonly learnt?: readonly Learnt[];
};

type Counted = { readonly right: number; readonly of: number };

/** What the models of a role learnt from a question, in all of their datasets together. */
export type Learnt = {
  readonly role: string;
  /** The answers that they were to imitate or to prefer, and how many of them are right. */
  readonly chosen: Counted;
  /** The answers that they were to avoid, and how many of them are right. */
  readonly rejected: Counted;
};

/** Right or wrong, by agent, then by round. See `rightAnswers`. */
type Rights = readonly (readonly boolean[])[];

/**
 * Null for a debate without a label.
 *
 * @param debate with the vote that makes its label: see `withLabelVote`
 */
export function judgeLabel(
  { question, answers, agrees, consensus }: Debate,
  rights: Rights,
): JudgedLabel | null {
  const { answer: label, votes, tied } = consensus;
  if (label === null) return null;
  const counted = (chosen: boolean): Counted => {
    const those = rights.filter((_, agent) => (agrees[agent]?.[0] === true) === chosen);
    return { right: those.filter(([first]) => first === true).length, of: those.length };
  };
  return {
    questionId: question.id,
    votes,
    tied,
    // The label has the spelling of one of its voters.
    right: answers.some((own, agent) =>
      own.some((each, round) => each === label && rights[agent]?.[round] === true),
    ),
    chosen: counted(true),
    rejected: counted(false),
  };
}

/**
 * What models learnt from each question, by its id: judged are the answers in their datasets, as they were built.
 *
 * @param rights by question; what is not there is not judged
 */
export function judgeLearnt(
  datasets: readonly { readonly role: string; readonly rows: readonly DatasetRow[] }[],
  rights: ReadonlyMap<string, Rights>,
): Map<string, Learnt[]> {
  const byQuestion = new Map<string, Learnt[]>();
  for (const { role, rows } of datasets) {
    for (const row of rows) {
      const ofQuestion = rights.get(row.questionId);
      if (ofQuestion === undefined) continue;
      const side = (agents: readonly number[]): Counted => {
        const own = agents.map((agent) =>
          ofQuestion[agent - 1]?.at(row.completion === 'first answer' ? 0 : -1),
        );
        return { right: own.filter((right) => right === true).length, of: own.length };
      };
      const { chosen, rejected } = sidesOf(row);
      const others = byQuestion.get(row.questionId) ?? [];
      const before = others.find((each) => each.role === role);
      const sum = {
        role,
        chosen: added(before?.chosen, side(chosen)),
        rejected: added(before?.rejected, side(rejected)),
      };
      byQuestion.set(row.questionId, [...others.filter((each) => each !== before), sum]);
    }
  }
  return byQuestion;
}

/** The agents whose answers a row wants, and those whose answers it does not want. */
function sidesOf({ agent, ending }: DatasetRow): { chosen: readonly number[]; rejected: readonly number[] } {
  if (ending === undefined) return { chosen: [agent], rejected: [] };
  return {
    chosen: ending.label === false ? [] : [ending.chosen],
    rejected: ending.label === true ? [] : [ending.rejected],
  };
}

function added(one: Counted = { right: 0, of: 0 }, other: Counted): Counted {
  return { right: one.right + other.right, of: one.of + other.of };
}

/** How good labels are, over questions. A share is null where nothing was counted. */
export type LabelQuality = {
  /** The share of labels that are right, by the number of votes that they had, the fewest first. */
  readonly byVotes: readonly PrecisionOfVotes[];
  /** The same of all labels that are learnt from. */
  readonly precision: Ratio | null;
  /** Of first answers to these questions: the share of the chosen ones that are right, and of the rejected ones that are wrong. */
  readonly chosenRight: Ratio | null;
  readonly rejectedWrong: Ratio | null;
};

export type PrecisionOfVotes = { readonly votes: number; readonly precision: Ratio | null };

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

/** How pure what models learnt from is: the datasets of all roles together, and those of each. */
export type Purity = { readonly all: PurityOfRows; readonly byRole: readonly PurityOfRole[] };
export type PurityOfRole = PurityOfRows & { readonly role: string };

/** A share is null where there was nothing. */
export type PurityOfRows = {
  /** Of answers to imitate or to prefer: the share that is right. */
  readonly chosenRight: Ratio | null;
  /** Of answers to avoid: the share that is wrong. */
  readonly rejectedWrong: Ratio | null;
  /** Both together: the share of sides that are what they should be. A row of imitation has one side, a pair has two. */
  readonly right: Ratio | null;
};

/** Null where an earlier version judged. */
export function purityOf(labels: readonly JudgedLabel[]): Purity | null {
  const judged = labels.flatMap(({ questionId, learnt }) =>
    learnt === undefined ? [] : [{ questionId, learnt }],
  );
  if (judged.length === 0) return null;
  const roles = [...new Set(judged.flatMap(({ learnt }) => learnt.map(({ role }) => role)))];
  const purity = (wanted: readonly string[]): PurityOfRows => {
    const sides = judged.flatMap(({ questionId, learnt }) =>
      learnt.filter(({ role }) => wanted.includes(role)).map((each) => ({ questionId, ...each })),
    );
    const wrong = ({ rejected: { right, of } }: Learnt): Counted => ({ right: of - right, of });
    return {
      chosenRight: overQuestions(sides, ({ chosen }) => chosen),
      rejectedWrong: overQuestions(sides, wrong),
      right: overQuestions(sides, (each) => added(each.chosen, wrong(each))),
    };
  };
  return { all: purity(roles), byRole: roles.map((role) => ({ role, ...purity([role]) })) };
}

/** Whether a label is right as often as its share of the votes says. */
export type Calibration = {
  /** Mean share of the votes, 0..1. */
  readonly expected: number;
  /** Share of labels that are right. */
  readonly right: Ratio;
  /**
   * The expected calibration error: the mean over labels of how far the share of right labels with as many votes is from their share of the
   * votes, 0..1. Each number of votes is a bin.
   */
  readonly error: number;
  /** Of the error, by the jackknife that leaves out one question at a time (Efron and Tibshirani, 1993, section 11.2). */
  readonly standardError: number;
};

/** @param ofVotes how many votes a label could have @returns null without labels */
export function calibrationOf(labels: readonly JudgedLabel[], ofVotes: number): Calibration | null {
  const right = precisionOf(labels);
  if (right === null) return null;
  const bins = new Map<number, Bin>();
  const byQuestion = new Map<string, JudgedLabel[]>();
  for (const label of labels) {
    const bin = bins.get(label.votes) ?? { share: label.votes / ofVotes, right: 0, of: 0 };
    bins.set(label.votes, bin);
    count(bin, label, 1);
    byQuestion.set(label.questionId, [...(byQuestion.get(label.questionId) ?? []), label]);
  }
  const error = errorOf(bins);
  const without = [...byQuestion.values()].map((own) => {
    const of = (times: 1 | -1) => {
      for (const label of own) count(bins.get(label.votes), label, times);
    };
    of(-1);
    const left = errorOf(bins);
    of(1);
    return left;
  });
  const mean = without.reduce((sum, each) => sum + each, 0) / without.length;
  const squares = without.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return {
    expected: labels.reduce((sum, { votes }) => sum + votes, 0) / labels.length / ofVotes,
    right,
    error,
    standardError: Math.sqrt((squares * (without.length - 1)) / without.length),
  };
}

type Bin = { readonly share: number; right: number; of: number };

function count(bin: Bin | undefined, { right }: JudgedLabel, times: 1 | -1): void {
  if (bin === undefined) return;
  bin.right += times * Number(right);
  bin.of += times;
}

function errorOf(bins: ReadonlyMap<number, Bin>): number {
  const all = [...bins.values()];
  const of = all.reduce((sum, bin) => sum + bin.of, 0);
  return all.reduce((sum, bin) => sum + Math.abs(bin.right - bin.of * bin.share), 0) / Math.max(1, of);
}

function overQuestions<Item extends { readonly questionId: string }>(
  items: readonly Item[],
  counts: (item: Item) => Counted,
): Ratio | null {
  const ratio = ratioOverQuestions();
  for (const item of items) {
    const { right, of } = counts(item);
    ratio.add(item.questionId, right, of);
  }
  return ratio.result();
}
