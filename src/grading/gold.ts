/** Which answer does a worked solution mark, and can a gold answer be graded? */
import { extractAnswer } from '../algorithm/answer.ts';
import { boxedAnswer } from '../algorithm/answer/boxes.ts';
import { isPlaceholder } from '../algorithm/answer/no-answer.ts';
import { lastSentence, lastTag } from '../algorithm/answer/statements.ts';
import { withoutComputation } from '../algorithm/answer/value.ts';
import { isBalanced } from './brackets.ts';
import { compareNormalised, isChoice } from './compare.ts';
import { LONGEST_ANSWER, normalise } from './normalise.ts';

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
export function answerOfSolution(text: string): string {
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
