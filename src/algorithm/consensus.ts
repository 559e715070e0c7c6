/** Which answer does the majority give? */
import { draw, type DrawKey } from './random.ts';

/**
 * Whether `answer` equals `reference` (a label, or the first answer of a class of equal answers).
 * It may be asynchronous, because symbolic equality needs a computer algebra engine.
 */
export type AnswerEquality = (reference: string, answer: string) => boolean | Promise<boolean>;

/** Whether `answer` equals at least one of `references`. A promise only when `equal` gives one. */
export function equalsOneOf(
  references: readonly string[],
  answer: string,
  equal: AnswerEquality,
): boolean | Promise<boolean> {
  for (const [index, reference] of references.entries()) {
    const found = equal(reference, answer);
    if (found === true) return true;
    if (found !== false) return eitherOf(found, references.slice(index + 1), answer, equal);
  }
  return false;
}

async function eitherOf(
  found: Promise<boolean>,
  others: readonly string[],
  answer: string,
  equal: AnswerEquality,
): Promise<boolean> {
  return (await found) || equalsOneOf(others, answer, equal);
}

/** The result of a majority vote (section 2.1 of the paper: the vote over the answers of the last round). */
export type Consensus = {
  /** The winning answer, in the spelling of one of its voters; null when no answer could be parsed. */
  readonly answer: string | null;
  /** How many of the answers that voted equal it: of the last round, one for each agent. */
  readonly votes: number;
  /** How many classes of equal answers have the greatest number of votes: 1 for a clear win, 2 or more for a tie, 0 without parsed answers. */
  readonly tied: number;
};

/**
 * The majority vote over classes of equal answers. An answer that could not be parsed (null) never wins against a parsed one.
 * A tie is decided by a seeded draw, never by the order of agents or of strings: the authors' code takes the greatest string,
 * so that "9" beats "10"; the order of agents would fill agent 1's datasets with its own mistakes.
 *
 * @param preferred one of the answers, which wins a tie in which it takes part
 */
export async function majorityVote(
  answers: readonly (string | null)[],
  equal: AnswerEquality,
  tieBreak: DrawKey,
  preferred: string | null = null,
): Promise<Consensus> {
  const classes = await answerClasses(answers, equal);
  const votes = Math.max(0, ...classes.map((members) => members.length));
  const leaders = classes.filter((members) => members.length === votes);
  const winner =
    leaders.find((members) => preferred !== null && members.includes(preferred)) ??
    leaders[leaders.length > 1 ? draw(tieBreak, leaders.length) : 0];
  return { answer: winner?.[0] ?? null, votes, tied: leaders.length };
}

/**
 * The parsed answers in classes of equal answers. Each answer is compared with the first member of every class so far, because equality
 * with tolerances is not transitive. The answers are sorted first, so that the order of agents does not change the classes.
 */
export async function answerClasses(
  answers: readonly (string | null)[],
  equal: AnswerEquality,
): Promise<string[][]> {
  const classes: [string, ...string[]][] = [];
  for (const answer of answers.filter((each) => each !== null).toSorted(byCodeUnits)) {
    const existing = await findClass(classes, answer, equal);
    if (existing) existing.push(answer);
    else classes.push([answer]);
  }
  return classes;
}

async function findClass(classes: readonly [string, ...string[]][], answer: string, equal: AnswerEquality) {
  const sameText = classes.find((members) => members.includes(answer));
  if (sameText) return sameText;
  for (const members of classes) {
    if (await equal(members[0], answer)) return members;
  }
  return undefined;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
