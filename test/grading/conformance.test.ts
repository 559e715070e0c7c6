import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { extractAnswer } from '../../src/algorithm/answer.ts';
import { createGrader } from '../../src/grading/grader.ts';

/** The test pairs of published graders. They are not part of the project; the tests run where a developer has them. */
const folder = new URL('../../../shared/conformance/', import.meta.url);
const absent = !existsSync(folder);
if (absent) process.emitWarning(`The shared conformance cases are left out: there is no ${folder.pathname}`);

const grader = createGrader();
afterAll(() => grader.close());

describe('the shared conformance cases', () => {
  it.skipIf(absent).each(['grader-cases.jsonl', 'grader-cases-2.jsonl'])(
    'no pair of %s is wrongly equal and at least 97 %% are right',
    { timeout: 300_000 },
    async (name) => {
      const wrong = [];
      const cases = rows(name);
      for (const { gold, answer, equal } of cases) {
        if ((await grader.equal(String(gold), String(answer))) !== equal) wrong.push({ gold, answer, equal });
      }
      expect(wrong.filter(({ equal }) => equal === false)).toEqual([]);
      expect(1 - wrong.length / cases.length).toBeGreaterThanOrEqual(0.97);
    },
  );

  it.skipIf(absent)('at least 97 % of the answers are extracted as published', () => {
    const cases = rows('extract-cases.jsonl');
    const wrong = cases.filter(({ response, expected }) => extractAnswer(String(response)) !== expected);
    expect(1 - wrong.length / cases.length, JSON.stringify(wrong)).toBeGreaterThanOrEqual(0.97);
  });
});

function rows(name: string): Record<string, unknown>[] {
  return readFileSync(new URL(name, folder), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
