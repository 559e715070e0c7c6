import { afterAll, describe, expect, it } from 'vitest';
import { createGrader } from '../../src/grading/grader.ts';
import { hostileAnswers } from './hostile-answers.ts';
import { kinds, ownCases } from './own-cases.ts';

const grader = createGrader();
afterAll(() => grader.close());

/** Long, for a machine that also trains a model. On a free machine a kind takes some tens of milliseconds. */
const timeout = 120_000;

describe('answers that are equal', () => {
  it.each(kinds(true))('of the kind: %s', { timeout }, async (kind) => {
    expect(await wronglyGraded(kind, true)).toEqual([]);
  });
});

describe('answers that are not equal', () => {
  it.each(kinds(false))('of the kind: %s', { timeout }, async (kind) => {
    expect(await wronglyGraded(kind, false)).toEqual([]);
  });
});

describe('every gold answer', () => {
  const golds = [...new Set(ownCases.filter(({ equal }) => equal).map(({ gold }) => gold))];

  it('equals itself in other notations', async () => {
    const clothes = (gold: string): string[] => [
      `$${gold}$`,
      `\\boxed{${gold}}`,
      ` ${gold} `,
      `\\(${gold}\\)`,
    ];
    const naked = [];
    for (const gold of golds) {
      for (const dressed of clothes(gold)) if (!(await grader.equal(gold, dressed))) naked.push(dressed);
    }
    expect(naked).toEqual([]);
  });

  it('differs from itself with another last digit', { timeout }, async () => {
    const same = [];
    for (const gold of golds.filter((text) => /\d/.test(text))) {
      const changed = gold.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 3) % 10));
      if (!MEANINGLESS_DIGIT.test(gold) && (await grader.equal(gold, changed))) same.push([gold, changed]);
    }
    expect(same).toEqual([]);
  });

  it('differs from its negative, from one more and from twice itself', { timeout }, async () => {
    const same = [];
    for (const gold of golds.filter((text) =>
      /^[\d.]+$|^\\frac\{\d+\}\{\d+\}$|^\d*\\sqrt\{\d+\}$|^\d*\\pi$/.test(text),
    )) {
      for (const other of [
        `-${gold}`,
        `1+${gold}`,
        `2\\cdot ${gold}`,
        `${gold}0`,
        `${gold}, 1`,
        `\\frac{${gold}}{7}`,
      ]) {
        if (
          Number(gold) !== 0 &&
          !(gold.includes('.') && other === `${gold}0`) &&
          (await grader.equal(gold, other))
        )
          same.push([gold, other]);
      }
    }
    expect(same).toEqual([]);
  });
});

it(
  'an answer that could make the grader hang is graded within two seconds',
  { timeout: 120_000 },
  async () => {
    const slow: unknown[] = [];
    for (const answer of hostileAnswers) {
      for (const gold of ['7', '\\sqrt{2}x', `${answer} `, `${answer}+1`]) {
        const [started, cpu] = [performance.now(), process.cpuUsage()];
        expect(await grader.equal(gold, answer)).toBeTypeOf('boolean');
        const { user, system } = process.cpuUsage(cpu);
        // The lesser of wall time and CPU time: on a busy machine the clock runs while other programs compute.
        const took = Math.min(performance.now() - started, (user + system) / 1000);
        if (took > 2000) slow.push([answer.slice(0, 60), gold.slice(0, 60), took]);
      }
    }
    expect(slow).toEqual([]);
  },
);

async function wronglyGraded(kind: string, expected: boolean): Promise<unknown[]> {
  const wrong = [];
  for (const { gold, answer } of ownCases.filter((own) => own.kind === kind && own.equal === expected)) {
    for (const [a, b] of [
      [gold, answer],
      [answer, gold],
    ] as const) {
      if ((await grader.equal(a, b)) !== expected) wrong.push([a, b]);
    }
  }
  return wrong;
}

/** Answers whose value may stay the same with another last digit: powers and units that are dropped, text in brackets. */
const MEANINGLESS_DIGIT = /\\approx|\\text\{[^{}]*\}\^|\\mathrm\{~cm\}|_\{?\d|[a-z]\^\{?\d\}?$/;
