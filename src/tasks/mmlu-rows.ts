import { z } from 'zod';
import { filledText, rowOf, type RowShape } from './row-shape.ts';

const letters = 'ABCDEFGHIJ'.split('');

/** Rows of MMLU: a question with its choices, of which `answer` names the right one by its place (0 the first) or its letter. */
export const mmluRows: RowShape = {
  schema: rowOf({
    question: filledText,
    choices: z.array(z.string('expected a text')).min(2, 'expected two choices or more').max(letters.length),
    answer: z.union([z.int(), z.bigint().transform(Number), z.string()], 'expected a place or a letter'),
  }).transform(({ question, choices, answer }, context) => {
    const known = letters.slice(0, choices.length);
    const place = typeof answer === 'number' ? answer : known.indexOf(answer.trim());
    const letter = known[place];
    const right = choices[place];
    if (letter !== undefined && right !== undefined) {
      return { text: multipleChoice(question, choices), answer: `(${letter}) ${inOneLine(right)}` };
    }
    const message = `${JSON.stringify(answer)} is none of the ${choices.length} choices: expected a place from 0 to ${choices.length - 1}, or a letter from A to ${known.at(-1)}`;
    context.addIssue({ code: 'custom', path: ['answer'], message });
    return z.NEVER;
  }),
  expected: 'an object {"question": "…", "choices": ["…", "…", "…", "…"], "answer": 2}',
};

/** A question with its choices, as it is shown to a model. The gold answer beside it has letter and text, so that either is right. */
function multipleChoice(question: string, choices: readonly string[]): string {
  const listed = choices.map((choice, place) => `${letters[place]}) ${inOneLine(choice)}`);
  return `${question.trim()}\n\n${listed.join('\n')}\n\nGive the letter of the right choice as the answer.`;
}

function inOneLine(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}
