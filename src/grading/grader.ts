/** Is an answer right? Grades pairs of answers; the vote, the datasets and the evaluation use the same grader. */
import { extractAnswer } from '../algorithm/answer.ts';
import { isBalanced } from './brackets.ts';
import { compareChoices, isChoice } from './choice.ts';
import { compareNormalised } from './compare.ts';
import { createEngineThread } from './engine.ts';
import { type EngineQuestion, settle } from './equality.ts';
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

/**
 * Why the grader cannot read a gold answer: no answer would equal it, or only the same text. Null when the grader can read it; such an
 * answer equals at least itself.
 */
export function whyUnreadable(solution: string): string | null {
  const gold = answerOfSolution(solution);
  // A shortcut: most gold answers are plain numbers, and there may be many.
  if (/^-?\d+(?:\.\d+)?$/.test(gold) || isChoice(gold)) return null;
  if (gold.length > LONGEST_ANSWER) {
    return `it has ${gold.length} characters, and the grader reads at most ${LONGEST_ANSWER}`;
  }
  const text = normalise(gold);
  if (text === '') return 'there is nothing in it to compare';
  if (compareNormalised(text, text) !== true) return 'it equals nothing, as a division by zero does';
  return isBalanced(text) ? null : 'its brackets do not match';
}

/** No dataset has longer ones, in characters; a model's answer may be a whole megabyte. */
const LONGEST_SOLUTION = 20_000;

/**
 * The answer of a worked solution: of a text with a line `#### 21`, or with a box among words. Other texts are answers themselves. Some
 * datasets have such solutions in the place of gold answers.
 */
export function answerOfSolution(text: string): string {
  if (text.length > LONGEST_SOLUTION) return text;
  if (!text.includes('####') && !text.includes('boxed') && !text.includes('fbox')) return text;
  const outside = text.replace(/\\(?:boxed|fbox)\s*\{.*\}/s, ' ').replace(/\\[a-zA-Z]+/g, ' ');
  const words = outside.match(/[a-z]{2,}/gi)?.length ?? 0;
  const solution = /(?:^|\n)\s*####|\S\s####\s/.test(text) || words >= 2;
  return solution ? (extractAnswer(text) ?? text) : text;
}
