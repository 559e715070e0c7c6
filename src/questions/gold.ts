/** Gold answers that stand at the end of worked solutions. */
import { extractAnswer } from '../algorithm/answer.ts';
import { boxedAnswer } from '../algorithm/answer/boxes.ts';
import { isPlaceholder } from '../algorithm/answer/placeholder.ts';
import { lastSentence, lastTag } from '../algorithm/answer/statements.ts';
import { isChoice } from '../grading/choice.ts';

/**
 * What GSM8K has behind the last `####`; empty when there is nothing. Without thousands separators: then nearly all are plain digits, which
 * the grader settles fastest.
 */
export function gsm8kGold(solution: string): string {
  const at = solution.lastIndexOf('####');
  const gold = at < 0 ? '' : solution.slice(at + '####'.length).trim();
  return /^-?\d{1,3}(?:,\d{3})+$/.test(gold) ? gold.replaceAll(',', '') : gold;
}

/** What MATH has in the last `\boxed{…}`, or null. */
export function mathGold(solution: string): string | null {
  return boxedAnswer(solution)?.answer ?? null;
}

/**
 * The gold answer of a row of one's own: mostly its text itself. Of a worked solution it is what that marks as its answer, as the datasets
 * do (`#### 5`, `\boxed{5}`) or in a sentence ("The answer is 5."). A solution that marks none comes back whole, and `whyNeverGiven` refuses it.
 */
export function ownGold(answer: string): string {
  const text = answer.trim();
  const marked = gsm8kGold(text);
  if (marked !== '' && !marked.includes('\n')) return marked;
  // In one line, `A: 18` is the choice A.
  const stated = text.includes('\n') ? extractAnswer(text) : (lastTag(text) ?? lastSentence(text))?.answer;
  return mathGold(text) ?? stated ?? text;
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
