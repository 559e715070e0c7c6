import { isBalanced } from './brackets.ts';
import { compareChoices, isChoice } from './choice.ts';
import { compareNormalised } from './compare.ts';
import { createEngineThread } from './engine.ts';
import { type EngineQuestion, settle } from './equality.ts';
import { LONGEST_ANSWER, normalise } from './normalise.ts';

/** Whether two answers are equal; a promise only when the compute engine has to be asked. */
export type AnswerEquality = (a: string, b: string) => boolean | Promise<boolean>;

/** Grades answers: the equality that the vote, the datasets and the evaluation share. */
export interface Grader {
  /** Symmetric in its two arguments. An empty answer equals nothing, not even an empty gold answer. */
  equal(gold: string, answer: string): boolean | Promise<boolean>;
  /** Ends the engine's thread. Pairs that wait for it are rejected with GraderEngineUnavailable. */
  close(): Promise<void>;
}

/** `engineTimeoutMs`: thinking time of the engine for one pair; `onKilled` hears of a pair that was called unequal for lack of time. */
export interface GraderOptions {
  readonly engineTimeoutMs?: number;
  readonly onKilled?: (gold: string, answer: string) => void;
}

/** Nearly all of arithmetic and GSM8K; short enough that a double holds it exactly. */
const PLAIN_NUMBER = /^-?\d{1,15}$/;
const CACHED_PAIRS = 20_000;

/**
 * The grader of docs/grading.md: normalising, exact rational numbers, structure, and the compute engine last, in a thread that starts
 * when it is first needed. As PRM800K's grader, which the paper uses (appendix on MATH), except where docs/grading.md says why not.
 */
export function createGrader(options: GraderOptions = {}): Grader {
  const limitMs = options.engineTimeoutMs ?? 1000;
  const onKilled = options.onKilled ?? warn;
  const engine = createEngineThread();
  const verdicts = new Map<string, boolean | Promise<boolean>>();

  function equal(gold: string, answer: string): boolean | Promise<boolean> {
    if (PLAIN_NUMBER.test(gold) && PLAIN_NUMBER.test(answer)) return Number(gold) === Number(answer);
    if (gold.length > LONGEST_ANSWER || answer.length > LONGEST_ANSWER) return gold.trim() === answer.trim();
    // Normalising would join a choice's letter with its text.
    const choice = isChoice(gold) || isChoice(answer);
    // Always the same order, so that the verdict cannot depend on which of the two is the gold answer.
    const [one = '', two = ''] = (choice ? [gold, answer] : [normalise(gold), normalise(answer)]).toSorted();
    const key = `${choice ? 'choice ' : ''}${one}\n${two}`;
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const found = choice ? compareChoices(one, two) : compareNormalised(one, two);
    const verdict = settle(found, asker(gold, answer));
    remember(key, verdict);
    if (verdict instanceof Promise) {
      verdict.then(
        (settled) => verdicts.set(key, settled),
        () => verdicts.delete(key),
      );
    }
    return verdict;
  }

  /** One pair may ask several questions; the limit is for all of them together. */
  function asker(gold: string, answer: string): (question: EngineQuestion) => Promise<boolean> {
    let left = limitMs;
    return async (question) => {
      if (left <= 0) return false;
      const reply = await engine.ask(question, left);
      left -= reply.milliseconds;
      if (reply.killed) {
        left = 0;
        onKilled(gold, answer);
      }
      return reply.equal;
    };
  }

  function remember(key: string, verdict: boolean | Promise<boolean>): void {
    const oldest = verdicts.size >= CACHED_PAIRS ? verdicts.keys().next().value : undefined;
    if (oldest !== undefined) verdicts.delete(oldest);
    verdicts.set(key, verdict);
  }

  return { equal, close: () => engine.close() };
}

function warn(gold: string, answer: string): void {
  process.emitWarning(
    `The grader ran out of time and called these unequal: ${gold.slice(0, 200)} | ${answer.slice(0, 200)}`,
    'GraderWarning',
  );
}

/**
 * Why no answer, however written, could be called equal to this gold answer, or only one written to the letter like it; null when
 * the grader can read it. An answer that the grader reads equals at least itself.
 */
export function whyUnreadable(gold: string): string | null {
  // Most are plain numbers, and there may be very many.
  if (/^-?\d+(?:\.\d+)?$/.test(gold) || isChoice(gold)) return null;
  if (gold.length > LONGEST_ANSWER) {
    return `it has ${gold.length} characters, and the grader reads at most ${LONGEST_ANSWER}`;
  }
  const text = normalise(gold);
  if (text === '') return 'there is nothing in it to compare';
  if (compareNormalised(text, text) !== true) return 'it equals nothing, as a division by zero does';
  return isBalanced(text) ? null : 'its brackets do not match';
}
