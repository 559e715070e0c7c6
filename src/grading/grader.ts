/** Is an answer right, which answer does a worked solution mark, and can a gold answer be graded? The vote, the datasets and the evaluation use the same grader. */
import { compareChoices, compareNormalised, isChoice } from './compare.ts';
import { createEngineThread, type EngineQuestion, settle } from './engine.ts';
import { LONGEST_ANSWER, normalise } from './normalise.ts';
import { extractAnswer } from '../algorithm/answer.ts';
import { boxedAnswer } from '../algorithm/answer/boxes.ts';
import { isPlaceholder } from '../algorithm/answer/no-answer.ts';
import { lastSentence, lastTag } from '../algorithm/answer/statements.ts';
import { withoutComputation } from '../algorithm/answer/value.ts';
import { isBalanced } from './expression.ts';

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
 * What GSM8K has behind the last `####`; empty when there is nothing. Without thousands separators: then nearly all are plain digits, which
 * the grader settles fastest.
 */
export function gsm8kGold(solution: string): string {
  const at = solution.lastIndexOf('####');
  const gold = at < 0 ? '' : solution.slice(at + '####'.length).trim();
  return withoutThousands(gold);
}

function withoutThousands(gold: string): string {
  return /^-?\d{1,3}(?:,\d{3})+$/.test(gold) ? gold.replaceAll(',', '') : gold;
}

/** What MATH has in the last `\boxed{…}`, or null. A solution of MATH never denies what is in its box. */
export function mathGold(solution: string): string | null {
  return boxedAnswer(solution, () => false)?.answer ?? null;
}

/** What a solution has behind the last marker, up to the end of its line; null when there is nothing. */
export function goldAfter(solution: string, marker: string): string | null {
  const at = solution.lastIndexOf(marker);
  const gold =
    at < 0
      ? ''
      : (
          solution
            .slice(at + marker.length)
            .trim()
            .split('\n')[0] ?? ''
        ).trim();
  return gold === '' ? null : withoutThousands(gold);
}

/**
 * The answer that a worked solution marks, as the datasets do (`#### 5`, `\boxed{5}`) or in a sentence ("The answer is 5."); null when it
 * marks none.
 */
function markedAnswer(solution: string): string | null {
  const text = solution.trim();
  const line = gsm8kGold(text);
  if (line !== '' && !line.includes('\n')) return markedAnswer(line) ?? withoutComputation(line).trim();
  if (text.includes('\n')) return extractAnswer(text);
  // In one line, `A: 18` is the choice A.
  return (boxedAnswer(text) ?? lastTag(text) ?? lastSentence(text))?.answer ?? null;
}

/**
 * The gold answer of a row of one's own: usually its whole text, and the marked answer of a worked solution. A solution that marks none
 * is returned whole, and `whyNeverGiven` refuses it.
 */
export function ownGold(answer: string): string {
  return markedAnswer(answer) ?? answer.trim();
}

/** No dataset has longer ones, in characters; a model's answer may be a whole megabyte. */
const LONGEST_SOLUTION = 20_000;

/**
 * The answer that is compared: the marked one of a worked solution, which is a text with a line `#### 21`, or with a box among words. Other
 * texts are answers themselves.
 */
function answerOfSolution(text: string): string {
  if (text.length > LONGEST_SOLUTION) return text;
  if (!text.includes('####') && !text.includes('boxed') && !text.includes('fbox')) return text;
  const outside = text.replace(/\\(?:boxed|fbox)\s*\{.*\}/s, ' ').replace(/\\[a-zA-Z]+/g, ' ');
  const words = outside.match(/[a-z]{2,}/gi)?.length ?? 0;
  const solution = /(?:^|\n)\s*####|\S\s####\s/.test(text) || words >= 2;
  return solution ? (markedAnswer(text) ?? text) : text;
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

/** Why no response could give this gold answer of a row of one's own; null when one could. */
export function whyNeverGiven(gold: string): string | null {
  if (isPlaceholder(gold)) return 'it stands in the place of an answer and is none';
  if (isChoice(gold) || gold.includes('\\begin')) return null;
  const words = gold.replace(/\\[a-zA-Z]+/g, ' ').match(/\p{L}{2,}/gu)?.length ?? 0;
  const hasLines = /\S\s*\n\s*\S/.test(gold);
  const isComputation = gold.includes('=') && (hasLines || words > 3);
  if (isComputation || (hasLines && words > 5) || gold.includes('####') || words > MOST_WORDS) {
    return 'no answer would equal this text; end a worked solution with its answer, for example #### 5 or \\boxed{5}';
  }
  return null;
}

/** Names, dates and short sentences have fewer. */
const MOST_WORDS = 30;
