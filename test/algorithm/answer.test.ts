import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractAnswer } from '../../src/algorithm/answer.ts';

/** Responses in the styles of many models, with the answer that a reader takes from each; docs/grading.md explains the contested ones. */
const responses: readonly { readonly response: string; readonly answer: string | null }[] = readFileSync(
  new URL('./responses.jsonl', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

describe('the answer in a response', () => {
  it.each([
    ['So the total is \\boxed{18}.', '18'],
    ['\\boxed{\\dfrac{\\sqrt{3}}{2}}', '\\dfrac{\\sqrt{3}}{2}'],
    ['\\boxed{1}, no: \\boxed{2}', '2'],
    ['\\fbox{6}', '6'],
    ['\\boxed 9', '9'],
    ['\\boxed{  x + 1\n}', 'x + 1'],
    ['\\boxed{\\{1, 2\\}}', '\\{1, 2\\}'],
    ['\\boxed{\\begin{pmatrix}1\\\\2\\end{pmatrix}}', '\\begin{pmatrix}1\\\\2\\end{pmatrix}'],
    ['3*8=24;12+24=36;36-5=31;\\boxed{31}', '31'],
    ['$\\boxed{7}$ and then \\boxed{', '7'],
    ['\\boxed{\\boxed{5}}', '5'],
    ['The answer is \\boxed{A}. The answer is B.', 'A'],
  ])('is in its last complete box: %j', (response, answer) => {
    expect(extractAnswer(response)).toBe(answer);
  });

  it.each([
    ['<think>\\boxed{3}, or rather \\boxed{4}</think>It is \\boxed{5}.', '5'],
    ['<think>\\boxed{3}</think>The answer is 4.', '4'],
    ['<think>so \\boxed{3}</think>Done.', '3'],
    ['so \\boxed{3}</think>\n#### 8', '8'],
    ['<think>so \\boxed{3}', '3'],
  ])('is first searched for after the thinking: %j', (response, answer) => {
    expect(extractAnswer(response)).toBe(answer);
  });

  it.each([
    ['Tom has 5.\n#### 5', '5'],
    ['#### 12,500', '12500'],
    ['#### -3.5', '-3.5'],
    ['#### $18', '18'],
    ['#### 3/4\n', '3/4'],
    ['#### Step 1\nwork\n#### 40', '40'],
    ['#### 1. Setup\nx\n#### Conclusion\nThe answer is 9.', '9'],
  ])('is in the last line of the kind that GSM8K uses: %j', (response, answer) => {
    expect(extractAnswer(response)).toBe(answer);
  });

  it.each([
    ['The answer is 12.', '12'],
    ['<answer>x = 5</answer>', 'x = 5'],
    ['The final answer is $\\frac{1}{2}$.', '\\frac{1}{2}'],
    ['**Answer:** 72', '72'],
    ['Answer: **yes**', 'yes'],
    ['Final Answer: 3.5', '3.5'],
    ['**Final Answer**\n\n41', '41'],
    ['Therefore, the answer is (B).', '(B)'],
    ['The answer to the question is 6.', '6'],
    ['The answer is 5, because 2 + 3 = 5.', '5'],
    ['The answer is therefore 5.', '5'],
    ['answer: 1\nanswer: 2', '2'],
    ['The answer is \\(x = 4\\).', 'x = 4'],
    ['The correct answer is: $1,200', '1200'],
    ['The answer is no solution.', 'no solution'],
  ])('is in the last sentence about an answer: %j', (response, answer) => {
    expect(extractAnswer(response)).toBe(answer);
  });

  it.each([
    '',
    ' \n',
    'I do not know.',
    '\\boxed{}',
    '\\boxed{ }',
    '\\boxed{\\boxed{}}',
    '\\boxed',
    'a boxed gift',
    'no answer',
    'The answer is not clear.',
    'The answer is unknown',
    '####',
    '#### Solution',
    '# Heading\n## Another',
    '<think></think>',
    'Answer:',
    'unanswered: 5 of them',
    '\\boxedx{5}',
  ])('is null when there is none: %j', (response) => {
    expect(extractAnswer(response)).toBeNull();
  });

  it.each(responses)('is what a reader takes from $response', ({ response, answer }) => {
    expect(extractAnswer(response)).toBe(answer);
  });

  it.each([
    ['The answer is 12. What was the question?', 'The answer is 12. What was the question?', null],
    [
      'Question: If the answer is 12 or more, say so.\nAnswer: no',
      'If the answer is 12 or more, say so.',
      'no',
    ],
    ['Which of these?\n\nA) 1\nB) 2\n\nAnswer: B', 'Which of these?\n\nA) 1\nB) 2', 'B'],
    ['2+2', '2+2', null],
    ['42', '42', '42'],
  ])('is not what %j repeats of the question', (response, question, answer) => {
    expect(extractAnswer(response, [question])).toBe(answer);
  });

  it('is the content of the box, for any text around it', () => {
    const content = fc
      .tuple(fc.string(), fc.nat(), fc.string())
      .map((parts) => parts.join(''))
      .filter((text) => !/[{}\\]/.test(text));
    // A sign, a number or an operation beside a box, and a power behind it, make it a part of a value.
    const around = fc
      .string()
      .filter((text) => !/[\\{}^]|(?:[-+*/]|\d|!=)\s*$|^\s*(?:[-+*/]|![\s$]*\$)/.test(text));
    fc.assert(
      fc.property(around, content, around, (before, inside, after) => {
        expect(extractAnswer(`${before}\\boxed{${inside}}${after}`)).toBe(inside.trim());
      }),
    );
  });

  it('is found in a megabyte of hostile text in well under two seconds', { timeout: 120_000 }, () => {
    const pieces = [
      '\\boxed{',
      '\\boxed',
      '\\boxed ',
      '\\fbox{ ',
      '{',
      '}',
      '\\',
      '\\\\',
      '####',
      '#### \n',
      '#### x\n',
      'answer is ',
      'answer ',
      'answer to a ',
      'answer:\n',
      '</think>',
      ' ',
      '\n',
      '$',
      '\\boxed{}',
      '\\boxed{1',
      '\\boxed{1},',
      '\\boxed{\\boxed{}}',
      '<think>',
      '<answer>',
      '\nQ:',
      'answer: \\(',
      'answer is is ',
      'answer is not x but ',
      '1=1',
      'A is ',
      '答案是',
    ];
    for (const piece of pieces) {
      const text = `${piece.repeat(Math.ceil(1_000_000 / piece.length))}\\boxed{5`;
      const cpu = process.cpuUsage();
      extractAnswer(text);
      // Processor time, as on a busy machine the clock goes on while others compute.
      expect(process.cpuUsage(cpu).user / 1000, JSON.stringify(piece)).toBeLessThan(1500);
    }
  });
});
