import { isBalanced } from './brackets.ts';
import { isChoice } from './choice.ts';
import { compareNormalised } from './compare.ts';
import { LONGEST_ANSWER, normalise } from './normalise.ts';

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
