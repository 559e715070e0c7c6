import { expect, it } from 'vitest';
import { exampleOf } from '../../src/algorithm/dataset.ts';

const question = { role: 'user', content: '3+4' } as const;
const response = { role: 'assistant', content: '\\boxed{7}' } as const;

it('a row has the loss only on the last response', () => {
  expect(exampleOf([question, response])).toEqual({ prompt: [question], completion: [response] });
  expect(exampleOf([question, response, question, response])).toEqual({
    prompt: [question, response, question],
    completion: [response],
  });
});

it('a dialogue that does not end in a response is no row', () => {
  expect(exampleOf([question])).toBeNull();
  expect(exampleOf([])).toBeNull();
});
