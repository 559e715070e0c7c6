/** Which exact number does an answer denote? */

/** A number: its exact value in lowest terms, and how it is written. `denominator` is positive. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
  /** `7`, `-7`, `7.0`: written as one whole number. `8/2` and `10^3` are not. */
  readonly wholeLiteral: boolean;
  /** `1.2e5`, `1.2\cdot10^{5}`: written with a power of ten. */
  readonly powerOfTen?: boolean;
  /** Numerator and denominator as written, when it is written as one fraction of whole numbers; else null. */
  readonly fraction: { readonly numerator: bigint; readonly denominator: bigint } | null;
}

/**
 * The rational number that `text` (already normalised) denotes: whole numbers, decimals, repeating decimals
 * (`0.\overline{3}`), fractions, mixed numbers (`1\frac{1}{2}`, `1 1/2`) and powers of ten (`2\cdot10^{-3}`).
 * Null for other texts, and for a division by zero.
 */
export function parseRational(text: string): Rational | null {
  if (!/\d/.test(text)) return null;
  const wrapped = /^(-?)[({]+([^(){}]*)[)}]+$/.exec(text);
  const bare = wrapped ? `${wrapped[1] ?? ''}${wrapped[2] ?? ''}`.replace(/^--/, '') : text;
  const signed = /^([+-]?)\s*(.*)$/s.exec(bare);
  const body = signed?.[2] ?? '';
  const value = number(body) ?? fraction(body) ?? mixed(body) ?? powerOfTen(body) ?? repeating(body);
  return value === null || signed?.[1] !== '-' ? value : negate(value);
}

/** Whether two values are exactly equal. Two fractions must also be written with the same denominator (as in PRM800K). */
export function equalRationals(a: Rational, b: Rational): boolean {
  if (a.numerator !== b.numerator || a.denominator !== b.denominator) return false;
  const bothPowers = a.powerOfTen === true && b.powerOfTen === true;
  if (!bothPowers && a.wholeLiteral !== b.wholeLiteral && a.denominator === 1n) return false;
  if (a.fraction === null || b.fraction === null) return true;
  return a.fraction.denominator === b.fraction.denominator;
}

const DECIMAL = /^(\d*)\.?(\d*)$/;

function number(text: string): Rational | null {
  const match = DECIMAL.exec(text);
  if (match === null || !/\d/.test(text)) return null;
  const decimals = match[2] ?? '';
  const value = reduced(BigInt(`${match[1] ?? ''}${decimals}`), 10n ** BigInt(decimals.length));
  return { ...value, wholeLiteral: value.denominator === 1n, fraction: null };
}

function fraction(text: string): Rational | null {
  const match =
    /^\\frac\{([^{}]+)\}\{([^{}]+)\}$/.exec(text) ?? /^\(?([+-]?[\d.]+)\)?\/\(?([+-]?[\d.]+)\)?$/.exec(text);
  if (match === null) return null;
  const top = signedNumber(match[1] ?? '');
  const bottom = signedNumber(match[2] ?? '');
  if (top === null || bottom === null || bottom.numerator === 0n) return null;
  const value = reduced(top.numerator * bottom.denominator, top.denominator * bottom.numerator);
  const whole = top.wholeLiteral && bottom.wholeLiteral;
  return { ...value, wholeLiteral: false, fraction: whole ? written(top.numerator, bottom.numerator) : null };
}

function mixed(text: string): Rational | null {
  const match = /^(\d+)(?: |\+|(?=\\))(\\frac\{\d+\}\{\d+\}|\d+\/\d+)$/.exec(text);
  if (match === null) return null;
  const part = fraction(match[2] ?? '');
  if (part === null) return null;
  const value = reduced(BigInt(match[1] ?? '') * part.denominator + part.numerator, part.denominator);
  return { ...value, wholeLiteral: false, fraction: null };
}

function powerOfTen(text: string): Rational | null {
  const match = /^([\d.]+)(?:(?:\\cdot|\\times)\s*10\^(?:\{([+-]?\d+)\}|(\d))|[eE]([+-]?\d+))$/.exec(text);
  const factor = match === null ? null : number(match[1] ?? '');
  const exponent = Number(match?.[2] ?? match?.[3] ?? match?.[4] ?? NaN);
  if (factor === null || !(Math.abs(exponent) <= 400)) return null;
  const power = 10n ** BigInt(Math.abs(exponent));
  const value =
    exponent < 0
      ? reduced(factor.numerator, factor.denominator * power)
      : reduced(factor.numerator * power, factor.denominator);
  // 1.2e5 is how programs print a number; 1.2\cdot10^{5} has still to be worked out.
  const printed = match?.[4] !== undefined;
  return { ...value, wholeLiteral: printed && value.denominator === 1n, powerOfTen: true, fraction: null };
}

function repeating(text: string): Rational | null {
  const match = /^(\d*)\.(\d*)\\overline\{(\d+)\}$/.exec(text);
  if (match === null) return null;
  const [whole = '', fixed = '', cycle = ''] = match.slice(1);
  const nines = 10n ** BigInt(cycle.length) - 1n;
  const start = BigInt(`${whole}${fixed}` || '0');
  const value = reduced(start * nines + BigInt(cycle), nines * 10n ** BigInt(fixed.length));
  return { ...value, wholeLiteral: false, fraction: null };
}

function signedNumber(text: string): Rational | null {
  const match = /^([+-]?)([\d.]+)$/.exec(text);
  const value = match === null ? null : number(match[2] ?? '');
  return value === null || match?.[1] !== '-' ? value : negate(value);
}

function negate(value: Rational): Rational {
  return { ...value, numerator: -value.numerator };
}

function written(numerator: bigint, denominator: bigint): { numerator: bigint; denominator: bigint } {
  return denominator < 0n ? { numerator: -numerator, denominator: -denominator } : { numerator, denominator };
}

function reduced(numerator: bigint, denominator: bigint): { numerator: bigint; denominator: bigint } {
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = sign * greatestCommonDivisor(numerator < 0n ? -numerator : numerator, sign * denominator);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a === 0n ? 1n : a;
}

/** A whole number that is written with its base, such as `4210_{7}`. It equals only numerals of the same base. */
export interface BaseNumeral {
  readonly base: number;
  readonly value: bigint;
}

/** Reads `1010_{2}`, `(1010)_2` or `2AF_{16}` (already normalised); null for other texts and for digits too large for the base. */
export function parseBaseNumeral(text: string): BaseNumeral | null {
  const match = /^\(?(-?)([0-9A-Fa-f]+)\)?_\{(?:\\text\{)?\s*([a-z]+|\d{1,2})\s*\}?\}$/.exec(text);
  if (match === null || !/^-?\(?\d/.test(text)) return null;
  const base = BASE_WORDS[match[3] ?? ''] ?? Number(match[3]);
  if (!(base >= 2 && base <= 16)) return null;
  let value = 0n;
  for (const char of match[2] ?? '') {
    const digit = Number.parseInt(char, 16);
    if (digit >= base) return null;
    value = value * BigInt(base) + BigInt(digit);
  }
  return { base, value: match[1] === '-' ? -value : value };
}

const BASE_WORDS: Readonly<Record<string, number>> = {
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  twelve: 12,
  sixteen: 16,
  hex: 16,
};

const BASES: Readonly<Record<string, string>> = { b: '2', o: '8', h: '16' };

/** Writes `17 octal`, `17 base 8`, `17 (base 8)` and `17_{\text{base }8}` with a subscript. */
export function inBase(text: string): string {
  if (!/base|_\{\(|binary|octal|hex/i.test(text)) return text;
  return text
    .replace(/(?<=\d)_\{\((\d{1,2})\)\}$/, '_{$1}')
    .replace(/_\{\s*(?:\\text\{)?\s*\(?base[\s-]*\}?\s*(\w+)\s*\)?\s*\}+$/i, '_{$1}')
    .replace(
      /^([\dA-Fa-f]+)(?:_|\s*(?:\\text\{)?\s*\(?\s*(?:in )?)(binary|octal|hexadecimal|hex)\s*[)}\s]*$/i,
      (_, digits: string, base: string) => `${digits}_{${BASES[base.charAt(0).toLowerCase()] ?? ''}}`,
    )
    .replace(
      /^(-?\d[\dA-Fa-f]*),?\s*(?:\\text\{)?\s*\(?\s*(?:in )?base[\s-]*\}?\s*(\d{1,2}|[a-z]+)\s*[)}\s]*$/i,
      (_, digits: string, base: string) => `${digits}_{${base.toLowerCase()}}`,
    );
}

/** Writes `5 R 2` as `5\text{ remainder }2`, `\pmod{7}` and `(mod 7)` as `(\bmod 7)`, `5^{th}` as `5th`, and `5 and a half` as `5\frac{1}{2}`. */
export function numeralForms(text: string): string {
  if (!/\d\s*(?:[Rr]|\^|and a)|mod/.test(text)) return text;
  return text
    .replace(/(?<=\d)\s*\^\s*(?:\{\s*(?:\\text\s*\{\s*)?)?(st|nd|rd|th)(?![a-z])[\s}]*$/, '$1')
    .replace(
      /^(\s*\d+) and a[ -](half|third|quarter)(?![a-z])/,
      (_, whole: string, part: string) =>
        `${whole}\\frac{1}{${part === 'half' ? 2 : part === 'third' ? 3 : 4}}`,
    )
    .replace(/^\s*(\d+)\s*(?:[Rr]|rem\.?|remainder)\s*(\d+)\s*$/, '$1\\text{ remainder }$2')
    .replace(/\\pmod\s*(?:\{(\w+)\}|(\w))|\(\s*(?:\\[bp]?)?mod\s*(\w+)\s*\)/g, '(\\bmod $1$2$3)');
}

/** Writes the dots and brackets of repeating decimals as a line: `0.\dot{1}4\dot{2}`, `0.(3)`. */
export function repeatingDecimals(text: string): string {
  if (!/\.\d*(?:\\(?:dot|bar|overline)|\(\d|\d[\u0305\u0307])/.test(text)) return text;
  return text
    .replace(
      /(\.\d*?)((?:\d[\u0305\u0307])+)/g,
      (_, fixed: string, cycle: string) => `${fixed}\\overline{${cycle.replace(/\D/g, '')}}`,
    )
    .replace(
      /(\.\d*)\\dot\s*\{?(\d)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?/g,
      (_, fixed: string, first: string, between = '', last = '') =>
        `${fixed}\\overline{${first}${String(between)}${String(last)}}`,
    )
    .replace(/(\.\d*)\\(?:bar|overline)\s*\{?(\d+)\}?/g, '$1\\overline{$2}')
    .replace(/^(\s*-?\d*\.\d*)\((\d+)\)(\s*)$/, '$1\\overline{$2}$3');
}
