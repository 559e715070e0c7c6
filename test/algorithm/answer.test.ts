import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { extractAnswer, majorityVote } from '../../src/algorithm/answer.ts';
import { chiSquare, tally } from './chi-square.ts';
import { anyAnswer, sameNumber } from './scripted-debate.ts';

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

const tieBreak = { seed: 0, iteration: 1, purpose: 'consensus', question: 'q-1' };
const vote = (answers: readonly (string | null)[], seed = 0) =>
  majorityVote(answers, sameNumber, { ...tieBreak, seed });

const anyVotes = fc.array(anyAnswer, { maxLength: 9 });
const withAnotherOrder = anyVotes.chain((answers) =>
  fc.tuple(
    fc.constant(answers),
    fc.shuffledSubarray(answers, { minLength: answers.length, maxLength: answers.length }),
  ),
);

describe('the majority vote', () => {
  it('counts equal answers as one, also when they are written in different ways', async () => {
    expect(await vote(['8', '7', '07', '7.0', '8'])).toEqual({ answer: '07', votes: 3, tied: 1 });
  });

  it('distinguishes a clear win from a tie', async () => {
    expect(await vote(['7', '7', '8'])).toMatchObject({ answer: '7', votes: 2, tied: 1 });
    expect(await vote(['7', '8', '8', '7'])).toMatchObject({ votes: 2, tied: 2 });
    expect(await vote(['7', '8', '9'])).toMatchObject({ votes: 1, tied: 3 });
  });

  it('has no answer when none could be parsed', async () => {
    expect(await vote([null, null, null])).toEqual({ answer: null, votes: 0, tied: 0 });
    expect(await vote([])).toEqual({ answer: null, votes: 0, tied: 0 });
  });

  it('never lets answers that could not be parsed win against a parsed one', async () => {
    expect(await vote([null, null, null, null, '9'])).toEqual({ answer: '9', votes: 1, tied: 1 });
    await fc.assert(
      fc.asyncProperty(anyVotes, fc.nat(), async (answers, seed) => {
        const parsed = answers.filter((answer) => answer !== null);
        const consensus = await vote(answers, seed);
        expect(consensus).toEqual(await vote(parsed, seed));
        expect(consensus.answer === null).toBe(parsed.length === 0);
      }),
    );
  });

  it('gives an answer that an agent gave, with all its votes, and no answer has more', async () => {
    await fc.assert(
      fc.asyncProperty(anyVotes, fc.nat(), async (answers, seed) => {
        const { answer, votes } = await vote(answers, seed);
        const counts = answers
          .filter((each) => each !== null)
          .map((each) => answers.filter((other) => other !== null && Number(other) === Number(each)).length);
        expect(votes).toBe(Math.max(0, ...counts));
        if (answer === null) return;
        expect(answers).toContain(answer);
        expect(answers.filter((each) => each !== null && Number(each) === Number(answer))).toHaveLength(
          votes,
        );
      }),
    );
  });

  it('does not depend on the order of agents', async () => {
    await fc.assert(
      fc.asyncProperty(withAnotherOrder, fc.nat(), async ([answers, reordered], seed) => {
        expect(await vote(reordered, seed)).toEqual(await vote(answers, seed));
      }),
    );
  });

  it('does not depend on the order of agents when equality is not transitive', async () => {
    const close = (a: string, b: string) => Math.abs(Number(a) - Number(b)) <= 1;
    await fc.assert(
      fc.asyncProperty(withAnotherOrder, async ([answers, reordered]) => {
        expect(await majorityVote(reordered, close, tieBreak)).toEqual(
          await majorityVote(answers, close, tieBreak),
        );
      }),
    );
  });

  it('does not depend on how long the equality takes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), anyVotes, async (scheduler, answers) => {
        const later = scheduler.scheduleFunction(async (a: string, b: string) => sameNumber(a, b));
        const consensus = await scheduler.waitFor(majorityVote(answers, later, tieBreak));
        expect(consensus).toEqual(await vote(answers));
      }),
    );
  });

  it.each([
    ['two', ['9', '10']],
    ['three', ['10', '9', '8']],
    ['four', ['7', '8', '9', '10']],
  ])('lets each of %s tied answers win equally often, for all positions of its agent', async (_, answers) => {
    const winners: string[] = [];
    for (let seed = 0; seed < 4000; seed++) {
      const { answer, tied } = await vote(answers, seed);
      expect(tied).toBe(answers.length);
      winners.push(answer ?? 'none');
    }
    const wins = tally(winners);
    expect(Object.keys(wins).toSorted()).toEqual(answers.toSorted());
    // At most 3 degrees of freedom: 16.3 is exceeded less than once in a thousand.
    expect(chiSquare(Object.values(wins))).toBeLessThan(16.3);
    expect(chiSquare(answers.map((answer) => wins[answer] ?? 0))).toBeLessThan(16.3);
  });

  it('draws the ties of different questions independently', async () => {
    const winners = new Set<string>();
    const pairs: string[] = [];
    for (let question = 0; question < 2000; question++) {
      const at = (purpose: string) => ({ ...tieBreak, purpose, question: `train-${question}` });
      const first = await majorityVote(['7', '8'], sameNumber, at('majority'));
      const last = await majorityVote(['7', '8'], sameNumber, at('consensus'));
      winners.add(`${last.answer}`);
      pairs.push(`${first.answer} then ${last.answer}`);
    }
    expect(winners.size).toBe(2);
    expect(chiSquare(Object.values(tally(pairs)))).toBeLessThan(16.3);
  });

  it('does not ask whether an answer equals itself', async () => {
    const never = () => {
      throw new Error('asked');
    };
    expect(await majorityVote(['7', '7', null], never, tieBreak)).toMatchObject({ answer: '7', votes: 2 });
  });

  it('passes on the error of an equality that fails', async () => {
    const broken = async () => Promise.reject(new Error('the grader died'));
    await expect(majorityVote(['7', '8'], broken, tieBreak)).rejects.toThrow('the grader died');
  });
});
