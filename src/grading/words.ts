/** What do the words of an answer say: a number (`twenty-five`, `5 million`), a day, or a function or a constant without its backslash? */
import { unitMeanings } from './unit-names.ts';

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

const NEEDS_ARGUMENT =
  'sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp sqrt frac'.split(' ');
const CONSTANTS = 'pi infty alpha beta gamma theta lambda'.split(' ');
const OTHER_NAMES: Readonly<Record<string, string>> = {
  asin: '\\arcsin',
  acos: '\\arccos',
  atan: '\\arctan',
  cbrt: '\\sqrt[3]',
};
const INFINITY = new Set(['inf', 'infinity', 'Inf', 'Infinity', 'oo']);

/**
 * Adds the backslash to functions and constants: `7*sin(pi*x)` becomes `7*\sin(\pi*x)`. Text in `\text{…}` and commands stay as they are,
 * also words that only contain a name (`since`) and names without an argument (`30 sec`).
 */
export function backslashFunctions(text: string): string {
  // Behind a number "sec" means seconds.
  const named = text.replace(/\\text\s?\{\s*([a-z]+)\s*\}/g, (run, name: string, at: number) =>
    NEEDS_ARGUMENT.includes(name) && !(name === 'sec' && /\d\s*$/.test(text.slice(0, at)))
      ? `\\${name} `
      : run,
  );
  return outsideText(named, (part) =>
    part
      .replace(/(?<![a-zA-Z\\])abs\s?\(([^()]*)\)/g, '|$1|')
      .replace(
        /(?<![a-zA-Z\\])([a-zA-Z]+)(?=(\s?[({[^|\\_]|\s?\d|\s[a-zA-Z](?![a-zA-Z]))?)/g,
        (name, _, next?: string) => {
          if (CONSTANTS.includes(name)) return `\\${name} `;
          if (INFINITY.has(name)) return '\\infty ';
          if (next === undefined) return name;
          if (NEEDS_ARGUMENT.includes(name)) return `\\${name} `;
          return (Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined) ?? name;
        },
      ),
  );
}

/** Applies `change` to the parts of `text` that are not inside `\text{…}`. */
export function outsideText(text: string, change: (part: string) => string): string {
  return text
    .split(/(\\text\{[^{}]*\})/)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join('');
}

const TWO_LETTER_WORDS = new Set(
  'no on is or of go at it to up by in an as am pm be he me we my us so if do ok'.split(' '),
);

/** A short word between blanks, as in `m by n`, which is no product. */
const SHORT_WORD_BETWEEN = new RegExp(`(?<=[\\w)}] )(?:${[...TWO_LETTER_WORDS].join('|')})(?= [\\w(\\\\])`);

/** Whether `text` has a word, in `\text{…}` or as a run of letters that is not a product of variables. */
export function hasWord(text: string): boolean {
  if (text.includes('\\text{') || /\P{ASCII}/u.test(text)) return true;
  const bare = text.replace(/\\[a-zA-Z]+/g, ' ').trim();
  return (
    /[a-zA-Z]{3}/.test(bare) || TWO_LETTER_WORDS.has(bare.toLowerCase()) || SHORT_WORD_BETWEEN.test(text)
  );
}

/**
 * The text by which two answers in words are compared: letters, digits and operators, without case, spacing and punctuation.
 * Null when `text` is not an answer in words: `\text{even}`, `(C)`, `Evelyn`, `no solution` are answers in words; `2x`, `xy`, `3 apples`
 * are not.
 */
export function wordKey(text: string): string | null {
  const plain = text.replace(/\\text\{([^{}]*)\}/g, ' $1 ').trim();
  const isText = /^[\s().,]*\\text\{[^{}]*\p{L}[^{}]*\}[\s().,]*$/u.test(text) && !/^\s*[-\d.$]/.test(plain);
  const onlyLetters = /^[\p{L}\s().,;:'"!?-]+$/u.test(plain) && /\p{L}/u.test(plain);
  if (!isText && !(onlyLetters && (hasWord(text) || /^\(?[A-Z]\)?$/.test(text)))) return null;
  if (caseCounts(plain)) return plain;
  const abbreviation = ABBREVIATION.exec(plain)?.[1]?.replaceAll('.', '');
  if (abbreviation !== undefined) return abbreviation;
  const key = withoutArticle(plain.toLowerCase())
    .replace(CONTRACTION, '$1-$2')
    .replace(/[\s.,;:!?"'()]+/g, '')
    .replace(/^(?:option|choice)(?=[a-e]$)/, '');
  return key === '' ? null : key;
}

/** A list of number words in digits: `two and three` is `2 and 3`. Null for other texts, and for one number (`two hundred and five`). */
export function numberList(text: string): string | null {
  if (!/^[a-zA-Z-]+(?:,| and | or )/.test(text) || text.length > 200) return null;
  const parts = text.split(/(\s*,\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+)/);
  const number = (words: string): string | null => numberWord(words.toLowerCase().replace(/\s+/g, ''));
  if (!/(?<!thousand|illion),/.test(text) && number(text.replaceAll(',', '')) !== null) return null;
  const values = parts.map((part, at) => (at % 2 === 1 ? part : number(part)));
  return values.includes(null) ? null : values.join('');
}

/** Words with a comma for the "and" between them. */
export function listedWords(text: string): string {
  return text.includes(' and ') ? text.replace(/(?<=\p{L}),?\s+and\s+(?=\p{L})/gu, ', ') : text;
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const MONTH =
  '(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?';
const DAY = String.raw`(?:the\s+)?(\d{1,2})(?:st|nd|rd|th)?`;
const DATE = new RegExp(`^(?:${DAY}\\s+(?:of\\s+)?${MONTH}|${MONTH}\\s+${DAY})(?:,?\\s+(\\d{4}))?\\.?$`, 'i');

/** A day in one spelling: `January 5, 2020`, `5 Jan. 2020` and `5th of January 2020` are `\text{jan 5 2020}`. Null for other texts. */
export function dateInWords(text: string): string | null {
  if (text.length > 60 || !/[a-z]{3}/i.test(text) || /\\(?!text)/.test(text)) return null;
  const found = DATE.exec(text.replace(/\\text\s*\{([^{}]*)\}/g, '$1').trim());
  if (found === null) return null;
  const month = MONTHS.indexOf((found[2] ?? found[3] ?? '').slice(0, 3).toLowerCase());
  return `\\text{${MONTHS[month] ?? ''} ${Number(found[1] ?? found[4])}${found[5] === undefined ? '' : ` ${found[5]}`}}`;
}

/** Abbreviations that in small letters are other words: the US is not us. */
const ABBREVIATION = /^[\s(]*(?:[Tt]he\s+)?(US|U\.S\.?|IT|I\.T\.?|WHO|W\.H\.O\.?|AIDS)[\s).,]*$/;
/** Without the apostrophe these are other words: its, were, shell, cant. */
const CONTRACTION = /(?<![a-z])(it|he|she|we|i|you|they|who|can|won|don)'(s|re|ll|d|ve|m|t)(?![a-z])/g;

/** Whether a short word is another one in another case: `Co` is not `CO`, and `mWh` is not `MWh`. */
export function caseCounts(word: string): boolean {
  return MIXED_CASE.test(word) && !TWO_LETTER_WORDS.has(word.toLowerCase());
}

const MIXED_CASE = /^(?:[A-Z][a-z]|(?=[A-Za-z]{2,4}$)[A-Za-z]*(?:[a-z][A-Z]|[A-Z]{2}[a-z])[A-Za-z]*)$/;

/** `the Nile` is `Nile` and `a cat` is `cat`; but `a year` states the number of years, `a few` is not `few`, and `a` alone is a letter. */
function withoutArticle(text: string): string {
  const [, article = '', rest = ''] = /^\(?(the|an?)\s+(\S{2}.*)$/s.exec(text) ?? [];
  if (article === '' || numberWord(rest.replace(/\s+/g, '')) !== null) return text;
  const counts =
    article !== 'the' &&
    (unitMeanings(rest) !== null ||
      /^(?:few|little|dozen|half|hundred|thousand|million|billion|lakh|crore)|^(?:third|quarter|[a-z]+th)$/.test(
        rest,
      ));
  return counts ? text : rest;
}
