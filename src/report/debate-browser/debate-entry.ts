import type { Debate } from '../../algorithm/debate.ts';
import type { Outcome } from '../../algorithm/evaluation.ts';

/** What the debate did to the answer of the first vote. */
export type DebateOutcome = 'saved' | 'spoilt' | 'right' | 'wrong';

/** A line of the browser's list: what it shows, what it is filtered by, and where the debate itself is. */
export type DebateEntry = {
  readonly iteration: number;
  readonly id: string;
  /** Its beginning, on one line; so are the answers. */
  readonly question: string;
  readonly gold: string;
  /** What was voted for after round 1, and at the end. */
  readonly first: string | null;
  readonly last: string | null;
  readonly outcome: DebateOutcome;
  /** Several answers had the most votes at the end. */
  readonly tied: boolean;
  /** Some response, in whatever round, gave no answer that could be read. */
  readonly unparsable: boolean;
  /** Whether the agents' answers differed after round 1, and at the end. */
  readonly differedFirst: boolean;
  readonly differedLast: boolean;
  /** Which block of debates has it, and which line there. */
  readonly block: number;
  readonly line: number;
};

/** @param place in the file that is being written */
export function debateEntry(
  debate: Debate,
  outcome: Outcome,
  place: Pick<DebateEntry, 'iteration' | 'block' | 'line'>,
): DebateEntry {
  const agents = debate.answers.length;
  return {
    ...place,
    id: debate.question.id,
    question: beginning(debate.question.text, 160),
    gold: beginning(outcome.gold, 40),
    first: outcome.majority.answer === null ? null : beginning(outcome.majority.answer, 40),
    last: outcome.debate.answer === null ? null : beginning(outcome.debate.answer, 40),
    outcome: debateOutcome(outcome),
    tied: debate.consensus.tied > 1,
    unparsable: debate.answers.some((byRound) => byRound.includes(null)),
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
  // By characters, so that none is cut in half.
  const characters = Array.from(line);
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : line;
}
