/** Is an answer right? Grades pairs of answers; the vote, the datasets and the evaluation use the same grader. */
import { compareChoices, compareNormalised, isChoice } from './compare.ts';
import { createEngineThread } from './engine.ts';
import { type EngineQuestion, settle } from './equality.ts';
import { answerOfSolution } from './gold.ts';
import { LONGEST_ANSWER, normalise } from './normalise.ts';

/** Decides whether answers are equal. */
export interface Grader {
  /**
   * Whether two answers are equal; a promise only when the compute engine is needed. Symmetric. An empty answer equals nothing, not even
   * an empty gold answer.
   */
  equal(gold: string, answer: string): boolean | Promise<boolean>;
  /** Ends the engine's thread. Pairs that wait for the engine are rejected with GraderEngineUnavailable. */
  close(): Promise<void>;
}

export interface GraderOptions {
  /** The engine's time for one pair. Default: 1,000. */
  readonly engineTimeoutMs?: number;
  /** Called with a pair that was graded as unequal because the time was over. Default: a warning of the process. */
  readonly onKilled?: (gold: string, answer: string) => void;
}

/** Nearly all answers of arithmetic and GSM8K. A double holds a number of 15 digits exactly. */
const PLAIN_NUMBER = /^-?\d{1,15}$/;
const CACHED_PAIRS = 20_000;

/**
 * The grader of docs/grading.md: it normalises, then compares exact rational numbers, then structure, and last asks the compute engine, in
 * a thread that starts when it is first needed. Like PRM800K's grader, which the paper uses (appendix on MATH), except for the differences
 * that docs/grading.md explains.
 */
export function createGrader(options: GraderOptions = {}): Grader {
  const limitMs = options.engineTimeoutMs ?? 1000;
  const onKilled = options.onKilled ?? warn;
  const engine = createEngineThread();
  const results = new Map<string, boolean | Promise<boolean>>();

  function equal(gold: string, answer: string): boolean | Promise<boolean> {
    if (PLAIN_NUMBER.test(gold) && PLAIN_NUMBER.test(answer)) return Number(gold) === Number(answer);
    return equalAnswers(answerOfSolution(gold), answerOfSolution(answer));
  }

  function equalAnswers(gold: string, answer: string): boolean | Promise<boolean> {
    if (gold.length > LONGEST_ANSWER || answer.length > LONGEST_ANSWER) return gold.trim() === answer.trim();
    // Normalising would join a choice's letter with its text.
    const choice = isChoice(gold) || isChoice(answer);
    // Always the same order, so that the result does not depend on which of the two is the gold answer.
    const [one = '', two = ''] = (choice ? [gold, answer] : [normalise(gold), normalise(answer)]).toSorted();
    const key = `${choice ? 'choice ' : ''}${one}\n${two}`;
    const known = results.get(key);
    if (known !== undefined) return known;
    const found = choice ? compareChoices(one, two) : compareNormalised(one, two);
    const result = settle(found, asker(gold, answer));
    remember(key, result);
    if (result instanceof Promise) {
      result.then(
        (settled) => results.set(key, settled),
        () => results.delete(key),
      );
    }
    return result;
  }

  /** Asks the engine the questions of one pair. The time limit is for all of them together. */
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

  function remember(key: string, result: boolean | Promise<boolean>): void {
    const oldest = results.size >= CACHED_PAIRS ? results.keys().next().value : undefined;
    if (oldest !== undefined) results.delete(oldest);
    results.set(key, result);
  }

  return { equal, close: () => engine.close() };
}

function warn(gold: string, answer: string): void {
  process.emitWarning(
    `The grader ran out of time and called these unequal: ${gold.slice(0, 200)} | ${answer.slice(0, 200)}`,
    'GraderWarning',
  );
}
