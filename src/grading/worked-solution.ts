/** Which answer does a text give that is a worked solution, where an answer alone is expected? */
import { extractAnswer } from '../algorithm/answer.ts';

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
