/** Which number do number words denote, alone (`twenty-five`) or behind a number (`5 million`)? */

const any = (words: readonly string[]): string => words.join('|');
const UNITS = 'one two three four five six seven eight nine'.split(' ');
const TEENS = 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ');
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');

/** Words that multiply the number in front of them. Numbers of a sum (`two thousand five hundred`) have them in falling order. */
const SCALES: ReadonlyMap<string, bigint> = new Map([
  ['trillion', 10n ** 12n],
  ['billion', 10n ** 9n],
  ['crore', 10n ** 7n],
  ['million', 10n ** 6n],
  ['lakh', 100_000n],
  ['thousand', 1000n],
  ['hundred', 100n],
]);
const OTHER_MULTIPLIERS: ReadonlyMap<string, bigint> = new Map([
  ['lac', 100_000n],
  ['bn', 10n ** 9n],
  ['quadrillion', 10n ** 15n],
  ['quintillion', 10n ** 18n],
  ['doz', 12n],
  ['gross', 144n],
  ['score', 20n],
  ['dozen', 12n],
  ['ten', 10n],
]);

/** The factor that a word behind a number multiplies it by (`dozen`, `millions`, `lakh`); null for other words. */
export function multiplier(word: string): bigint | null {
  const lower = word.toLowerCase();
  // "Scores" are results, not twenties.
  const singular = lower === 'scores' ? lower : lower.replace(/(?<=[a-z]{2}[^s])s$/, '');
  return SCALES.get(singular) ?? OTHER_MULTIPLIERS.get(singular) ?? null;
}

/** Whether a word is a number word: behind a number (`5 two`) it does not name a unit. */
export function isNumberWord(word: string): boolean {
  const lower = word.toLowerCase();
  return lower === 'zero' || UNITS.includes(lower) || TEENS.includes(lower) || TENS.includes(lower);
}

const BELOW_HUNDRED = new RegExp(`^(?:(${any(TENS)})-?(${any(UNITS)})?|(${any(TEENS)})|(${any(UNITS)}))$`);
const DOZENS = /^(?:(half-?)?(an?-?)?|(.+?)-?)dozens?$/;

/**
 * The digits of a whole number in words without blanks: `seven` is `7`, `twenty-five` and `twentyfive` are `25`, `twodozen` is `24`; null
 * for other words.
 */
export function numberWord(key: string): string | null {
  const signed = /^(?:minus|negative)-?(.+)$/.exec(key);
  const value = cardinal(signed?.[1] ?? key);
  return value === null ? null : `${signed === null ? value : -value}`;
}

const ORDINALS: ReadonlyMap<string, number> = new Map(
  'first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth'
    .split(' ')
    .map((word, index) => [word, index + 1]),
);
const PARTS: ReadonlyMap<string, number> = new Map([
  ...[...ORDINALS].slice(2),
  ['half', 2],
  ['halve', 2],
  ['quarter', 4],
  ['hundredth', 100],
  ['thousandth', 1000],
]);
const FRACTION = new RegExp(`^(?:(.+?)-?and-?)?(?:([a-z]+?)-?)?(${any([...PARTS.keys()])})s?$`);

/** The fraction that words denote: `half`, `two-thirds`, `one and a half`; null for other words and for ordinals (`third`, `twenty-fifth`). */
export function fractionWord(key: string): string | null {
  const [, before, count, part = ''] = FRACTION.exec(key) ?? [];
  const denominator = PARTS.get(part);
  if (denominator === undefined || key.length > 60) return null;
  if (count === undefined && (part !== 'half' || before !== undefined)) return null;
  const counted =
    count === undefined || count === 'a' || count === 'an' ? 1 : [...UNITS, ...TEENS].indexOf(count) + 1;
  const whole = before === undefined ? '' : cardinal(before);
  return counted === 0 || whole === null ? null : `${whole}\\frac{${counted}}{${denominator}}`;
}

const TENS_AND_ORDINAL = new RegExp(`^(${any(TENS)})-?([a-z]+)$`);

/** An ordinal in digits: `third` is `3rd`; null for other words. */
export function ordinalWord(key: string): string | null {
  const [, ten, last = key] = TENS_AND_ORDINAL.exec(key) ?? [];
  const value = ORDINALS.get(last);
  if (value === undefined || (ten !== undefined && value > 9)) return null;
  const all = (ten === undefined ? 0 : (TENS.indexOf(ten) + 2) * 10) + value;
  const ending = Math.floor(all / 10) === 1 ? 'th' : (['st', 'nd', 'rd'][(all % 10) - 1] ?? 'th');
  return `${all}${ending}`;
}

function cardinal(key: string): bigint | null {
  if (key.length > 120 || !/^[a-z-]+$/.test(key)) return null;
  if (key === 'zero') return 0n;
  const dozens = DOZENS.exec(key);
  if (dozens !== null && key !== 'dozen' && key !== 'dozens') {
    if (dozens[3] === undefined) return dozens[1] === undefined ? 12n : 6n;
    const count = belowThousand(dozens[3]);
    return count === null ? null : count * 12n;
  }
  let rest = key;
  let total = 0n;
  for (const [scale, factor] of SCALES) {
    if (scale === 'hundred') break;
    const at = rest.indexOf(scale);
    if (at <= 0) continue;
    const count = rest.slice(0, at).replace(/-$/, '');
    const factorOf = count === 'a' ? 1n : belowThousand(count);
    if (factorOf === null) return null;
    total += factorOf * factor;
    rest = rest.slice(at + scale.length).replace(/^-?(?:and)?-?/, '');
    if (rest === '') return total;
  }
  const last = belowThousand(rest);
  return last === null ? null : total + last;
}

function belowThousand(key: string): bigint | null {
  const hundreds = /^(.+?)-?hundred(?:-?(?:and)?-?(.+))?$/.exec(key);
  if (hundreds === null) return belowHundred(key);
  const count = hundreds[1] === 'a' ? 1 : UNITS.indexOf(hundreds[1] ?? '') + 1;
  const rest = hundreds[2] === undefined ? 0n : belowHundred(hundreds[2]);
  return count === 0 || rest === null ? null : BigInt(count) * 100n + rest;
}

function belowHundred(key: string): bigint | null {
  const match = BELOW_HUNDRED.exec(key);
  if (match === null) return null;
  const [, tens, unit, teen, alone] = match;
  if (teen !== undefined) return BigInt(TEENS.indexOf(teen) + 10);
  const ten = tens === undefined ? 0 : (TENS.indexOf(tens) + 2) * 10;
  return BigInt(ten + UNITS.indexOf(unit ?? alone ?? '') + 1);
}
