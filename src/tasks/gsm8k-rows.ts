import { filledText, rowOf, type RowShape } from './row-shape.ts';

/** Rows of GSM8K: `answer` is a worked solution whose last line has the gold answer behind `####`. */
export const gsm8kRows: RowShape = {
  schema: rowOf({
    question: filledText,
    answer: filledText.refine((answer) => goldOf(answer) !== '', 'has no final answer behind ####'),
  }).transform(({ question, answer }) => ({ text: question, answer: goldOf(answer) })),
  expected: 'an object {"question": "…", "answer": "… #### 42"}',
};

/** Without thousands separators: then nearly all are plain digits, which the grader settles fastest. */
function goldOf(answer: string): string {
  const at = answer.lastIndexOf('####');
  const gold = at < 0 ? '' : answer.slice(at + '####'.length).trim();
  return /^-?\d{1,3}(?:,\d{3})+$/.test(gold) ? gold.replaceAll(',', '') : gold;
}
