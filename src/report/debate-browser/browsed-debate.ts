import type { Debate } from '../../algorithm/debate.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';
import { isCutOff } from '../../algorithm/measures/cost.ts';

/** What the page is about. */
export type About = {
  readonly experiment: string;
  /** Ascending; 0 is the base model. */
  readonly iterations: readonly number[];
  /** Which debates are not in the file, and why, in whole sentences. */
  readonly missing: readonly string[];
};

/** What the debate did to the answer of the first vote. */
export type DebateOutcome = 'saved' | 'spoilt' | 'right' | 'wrong';

/** A line of the page's list: what it shows, what it is filtered by, and where the debate is. */
export type DebateEntry = {
  readonly set: BrowsedSet;
  /** Held-out debates: of the agents after this iteration, 0 is the base model. Training debates: the iteration that learnt from them. */
  readonly iteration: number;
  readonly id: string;
  /** Its beginning, on one line, like the answers. */
  readonly question: string;
  /** Null for a training question: debates on them are not compared with gold answers. */
  readonly gold: string | null;
  /** The vote after round 1, and at the end. */
  readonly first: string | null;
  readonly last: string | null;
  /** Null for a training question. */
  readonly outcome: DebateOutcome | null;
  /** Several answers had the most votes at the end. */
  readonly tied: boolean;
  /** A response of some round gave no answer that could be read. */
  readonly unparsable: boolean;
  /** A response was cut off. */
  readonly cutOff: boolean;
  /** Whether the agents' answers differed after round 1, and at the end. */
  readonly differedFirst: boolean;
  readonly differedLast: boolean;
  /** The block of debates that has it, and the line there. */
  readonly block: number;
  readonly line: number;
};

/** Held-out questions, which measure, or training questions, which the agents learn from. */
export type BrowsedSet = 'heldout' | 'train';

/**
 * @param outcome null for a debate on a training question
 * @param place in the file that is being written
 */
export function debateEntry(
  debate: Debate,
  outcome: Outcome | null,
  place: Pick<DebateEntry, 'iteration' | 'block' | 'line'>,
): DebateEntry {
  const first = debate.majority.answer;
  const last = debate.consensus.answer;
  const agents = debate.answers.length;
  return {
    ...place,
    set: outcome === null ? 'train' : 'heldout',
    id: debate.question.id,
    question: beginning(debate.question.text, 160),
    gold: outcome === null ? null : beginning(outcome.gold, 40),
    first: first === null ? null : beginning(first, 40),
    last: last === null ? null : beginning(last, 40),
    outcome: outcome === null ? null : debateOutcome(outcome),
    tied: debate.consensus.tied > 1,
    unparsable: debate.answers.some((byRound) => byRound.includes(null)),
    cutOff: debate.finishReasons.responses.flat().some(isCutOff),
    differedFirst: debate.majority.votes < agents,
    differedLast: debate.consensus.votes < agents,
  };
}

function debateOutcome({ majority, debate }: Outcome): DebateOutcome {
  if (majority.correct === debate.correct) return debate.correct ? 'right' : 'wrong';
  return debate.correct ? 'saved' : 'spoilt';
}

function beginning(text: string, length: number): string {
  const line = text
    .slice(0, 4 * length)
    .replace(/\s+/g, ' ')
    .trim();
  // By code points, so that none is cut in half.
  const characters = Array.from(line);
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : line;
}

/** A debate as the page shows it: every message, and each answer with its verdict. */
export type BrowsedDebate = {
  readonly question: string;
  /** Null for a training question. */
  readonly gold: string | null;
  /** By round, then by agent. */
  readonly rounds: readonly (readonly Turn[])[];
  /** The vote over round 1. */
  readonly first: Vote;
  /** The vote over the last round. */
  readonly last: Vote;
};
export type Turn = {
  /**
   * What the agent was asked before it answered: in round 1 the prompt with the question, later the others' responses or a summary of
   * them. Null where a dialogue lacks it.
   */
  readonly shown: { readonly text: string; readonly kind: ShownKind } | null;
  readonly response: string;
  /** Why the model stopped; null where that is not known. */
  readonly finishReason: FinishReason | null;
  readonly answer: string | null;
  readonly verdict: Verdict;
};
export type FinishReason = { readonly word: string; readonly cutOff: boolean };
export type ShownKind = 'prompt' | 'responses' | 'summary';
export type Vote = {
  readonly answer: string | null;
  /** Null for a training question, whose answers are not graded. */
  readonly correct: boolean | null;
  readonly votes: number;
  readonly tied: number;
};

/**
 * @param outcome null for a debate on a training question
 * @param summarize whether agents were shown summaries
 */
export function browsedDebate(debate: Debate, outcome: Outcome | null, summarize: boolean): BrowsedDebate {
  const rounds = Math.max(0, ...debate.answers.map((byRound) => byRound.length));
  return {
    question: debate.question.text,
    gold: outcome?.gold ?? null,
    rounds: Array.from({ length: rounds }, (_, index) =>
      debate.dialogues.map((_, agent) => turnOf(debate, outcome, agent, index + 1, summarize)),
    ),
    first: { ...debate.majority, correct: outcome?.majority.correct ?? null },
    last: { ...debate.consensus, correct: outcome?.debate.correct ?? null },
  };
}

function turnOf(
  debate: Debate,
  outcome: Outcome | null,
  agent: number,
  round: number,
  summarize: boolean,
): Turn {
  const dialogue = debate.dialogues[agent] ?? [];
  const shown = dialogue[2 * round - 2];
  // A single agent has no others to summarise.
  const later = summarize && debate.dialogues.length > 1 ? 'summary' : 'responses';
  return {
    shown: shown === undefined ? null : { text: shown.content, kind: round === 1 ? 'prompt' : later },
    response: dialogue[2 * round - 1]?.content ?? '',
    finishReason: finishReasonOf(debate, agent, round),
    answer: debate.answers[agent]?.[round - 1] ?? null,
    verdict: verdictOf(debate, outcome, agent, round),
  };
}

function finishReasonOf({ finishReasons }: Debate, agent: number, round: number): FinishReason | null {
  const word = finishReasons.responses[agent]?.[round - 1];
  return word === undefined || word === 'unknown' ? null : { word, cutOff: isCutOff(word) };
}

/**
 * Whether an answer within a debate was right; unknown when no graded answer decides it. On a training question: whether it equals the
 * consensus.
 */
export type Verdict = 'right' | 'wrong' | 'unknown' | 'agrees' | 'differs';

/**
 * Only round 1 and the votes were compared with the gold answer. An answer of a later round has the verdict of an equal answer that was
 * compared; without one, the verdict follows from whether it agrees with the consensus.
 *
 * @param agent from 0
 * @param round from 1
 */
export function verdictOf(debate: Debate, outcome: Outcome | null, agent: number, round: number): Verdict {
  const answer = debate.answers[agent]?.[round - 1] ?? null;
  if (outcome === null) return debate.agrees[agent]?.[round - 1] === true ? 'agrees' : 'differs';
  if (answer === null) return 'wrong';
  if (answer === outcome.gold) return 'right';
  const graded = [...outcome.single, outcome.majority, outcome.debate].find((each) => each.answer === answer);
  if (graded !== undefined) return graded.correct ? 'right' : 'wrong';
  const agrees = debate.agrees[agent]?.[round - 1] === true;
  if (outcome.debate.correct) return agrees ? 'right' : 'wrong';
  return agrees ? 'wrong' : 'unknown';
}
