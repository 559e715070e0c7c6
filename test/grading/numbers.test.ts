import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare } from '../../src/grading/compare.ts';
import { normalise } from '../../src/grading/normalise.ts';
import { parseRational } from '../../src/grading/numbers.ts';
import { hostileAnswers } from './hostile-answers.ts';
import { ownCases } from './own-cases.ts';

const fraction = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.bigInt({ min: 2n, max: 10n ** 12n }))
  .map(([numerator, denominator]) => reduce(numerator, denominator))
  .filter(({ denominator }) => denominator > 1n);

const whole = fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n });

describe('rational numbers', () => {
  it('stay equal in every notation of a fraction in lowest terms', () => {
    fc.assert(
      fc.property(fraction, ({ numerator: n, denominator: d }) => {
        const size = n < 0n ? -n : n;
        const sign = n < 0n ? '-' : '';
        const spellings = [
          `${n}/${d}`,
          `${sign}\\frac{${size}}{${d}}`,
          `\\frac{${n}}{${d}}`,
          `\\frac{${-n}}{${-d}}`,
          `$\\dfrac{${n}}{${d}}$`,
          `${n} / ${d}.`,
          `\\left(\\tfrac{${n}}{${d}}\\right)`,
        ];
        if (size > d)
          spellings.push(
            `${sign}${size / d}\\frac{${size % d}}{${d}}`,
            `${sign}${size / d} ${size % d}/${d}`,
          );
        for (const a of spellings)
          for (const b of spellings) expect([a, b, compare(a, b)]).toEqual([a, b, true]);
      }),
      { numRuns: 60 },
    );
  });

  it('stay equal in every notation of a whole number', () => {
    fc.assert(
      fc.property(whole, (n) => {
        const grouped = String(n).replace(/\B(?=(\d{3})+$)/g, ',');
        for (const spelt of [
          `${n}`,
          `${n}.0`,
          grouped,
          grouped.replaceAll(',', '{,}'),
          grouped.replaceAll(',', ',\\!'),
          grouped.replaceAll(',', ' '),
          `$${n}$`,
          `${n}.`,
          `${n} apples`,
          `${n}\\text{ cm}^2`,
        ]) {
          expect([spelt, compare(String(n), spelt)]).toEqual([spelt, true]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are unequal when their values differ', () => {
    fc.assert(
      fc.property(fraction, fraction, whole, (a, b, n) => {
        const [one, two] = [`\\frac{${a.numerator}}{${a.denominator}}`, `${b.numerator}/${b.denominator}`];
        const sameValue = a.numerator * b.denominator === b.numerator * a.denominator;
        expect(compare(one, two)).toBe(sameValue);
        expect(compare(one, String(n))).toBe(false);
        expect(compare(String(n), String(n + 1n))).toBe(false);
        expect(compare(String(n), `${n}.000000000000000000000000000001`)).toBe(false);
      }),
    );
  });

  it('are read from decimals exactly, to the last of many digits', () => {
    expect(parseRational('0.1\\overline{6}')).toMatchObject({ numerator: 1n, denominator: 6n });
    expect(parseRational('-2\\frac{1}{4}')).toMatchObject({ numerator: -9n, denominator: 4n });
    expect(parseRational('2.5\\cdot10^{-3}')).toMatchObject({ numerator: 1n, denominator: 400n });
    expect(parseRational('1/0')).toBeNull();
  });
});

describe('the normaliser', () => {
  const answers = ownCases.flatMap(({ gold, answer }) => [gold, answer]);

  it('does not change a normalised answer', () => {
    const changed = [...answers, ...hostileAnswers].filter(
      (answer) => normalise(normalise(answer)) !== normalise(answer),
    );
    expect(changed).toEqual([]);
  });

  it('never fails, for any text, and comparing is symmetric', () => {
    const pieces = fc.constantFrom(
      '\\frac',
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      '\\text{',
      '1',
      '2',
      'x',
      '^',
      '_',
      ',',
      ' ',
      '\\\\',
      '\\',
      '$',
      '\\pm',
      '=',
      '<',
      '\\cup',
      '.',
      '-',
      '/',
      '\\sqrt',
      'and',
      '\\{',
      '\\}',
      '%',
      '½',
    );
    const soup = fc.array(pieces, { maxLength: 14 }).map((list) => list.join(''));
    fc.assert(
      fc.property(soup, soup, (a, b) => {
        const settled = (verdict: unknown): unknown => (typeof verdict === 'boolean' ? verdict : 'open');
        expect(settled(compare(a, b))).toBe(settled(compare(b, a)));
      }),
      { numRuns: 400 },
    );
  });
});

function reduce(numerator: bigint, denominator: bigint): { numerator: bigint; denominator: bigint } {
  let [a, b] = [numerator < 0n ? -numerator : numerator, denominator];
  while (b !== 0n) [a, b] = [b, a % b];
  return { numerator: numerator / a, denominator: denominator / a };
}
