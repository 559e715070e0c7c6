/** Which part of an answer is its unit? */
import { parseRational } from './numbers.ts';

/** A value and its unit. `unit` is null when there is none, and for words that are not in the table of units. */
export interface Quantity {
  readonly value: string;
  readonly unit: string | null;
}

/**
 * Splits a unit off the end (`5\text{ cm}^2`, `10weeks`, `50\%`, `90^{\circ}`) or a currency sign off the front. Words for powers of ten
 * multiply the value (`3 million`); texts with words that change the value in another way (`5 below zero`) stay whole.
 */
export function splitUnit(text: string): Quantity {
  const money = /^(-?)\s*\\\$\s*(-?)(?=[\d.\\(])/.exec(text);
  if (money !== null)
    return {
      ...splitUnit(`${money[1] ?? ''}${money[2] ?? ''}${text.slice(money[0].length)}`),
      unit: 'dollar',
    };
  const percent = /^(.*[\d})])\s*\\?%$/s.exec(text);
  if (percent !== null) return { value: percent[1] ?? '', unit: 'percent' };
  const degree = /^(.*[^\s^])\s*\^\{?\\circ\s*\}?\s*(?:\\text\{\s*([CF])\s*\}|([CF]))?$/s.exec(text);
  if (degree !== null && !/\\(?:circ|sin|cos|tan|cot|sec|csc)/.test(degree[1] ?? ''))
    return { value: degree[1] ?? '', unit: degree[2] ?? degree[3] ?? 'degree' };
  // An angle in an expression, as in 90^{\circ}-\frac{\alpha}{2}; degrees and minutes (30^{\circ}15') stay together.
  if (
    /\^\{\\circ\}/.test(text) &&
    !/\\circ\}\s*[\dA-Za-z]|['"]|\\(?:sin|cos|tan|cot|sec|csc|text)|[=<>,]/.test(text)
  ) {
    return { value: text.replaceAll('^{\\circ}', ''), unit: 'degree' };
  }
  return splitWords(text);
}

function splitWords(text: string): Quantity {
  const whole = { value: text, unit: null };
  const tail = unitTail(text);
  const value = text.slice(0, text.length - tail.length).trim();
  if (tail === '' || !/(?:[\d})\]]|\\pi)$/.test(value)) return whole;
  const words = tail.replace(/\\text\{([^{}]*)\}/g, ' $1 ').trim();
  if (!/^[\p{L}\s./^{}23,·()*-]*$/u.test(words) || CHANGES_VALUE.test(words)) return whole;
  const inText = tail.trimStart().startsWith('\\text{');
  if (!inText && !(parseRational(value) !== null && words.split(/[\s/]+/).every(isBareUnit))) return whole;
  const power = /^(hundred|thousand|million|billion|trillion|dozen)\b\s*(.*)$/is.exec(words);
  if (power !== null) return multiplied(value, (power[1] ?? '').toLowerCase(), power[2] ?? '') ?? whole;
  return { value, unit: canonicalUnit(words) };
}

const UNIT_TOKEN =
  /(?:\\text\{[^{}]*\}|(?<![A-Za-z\\])[ap]\.\s?m\.?|(?<![A-Za-z\\])[A-Za-z]{2,}\.?|(?<=[/\d\s])[mgsh](?=$|\^|\/)|\s+|\/|\^\{?[23]\}?)$/;

/** The words and powers at the end of `text`, found token by token from the right, in the last 100 characters. */
function unitTail(text: string): string {
  const end = text.slice(-100);
  let at = end.length;
  while (at > 0) {
    const token = UNIT_TOKEN.exec(end.slice(0, at))?.[0];
    // A power belongs to the value unless a unit stands before it.
    if (token === undefined) break;
    at -= token.length;
  }
  const tail = end.slice(at).replace(/^(?:\^\{?[23]\}?|\/)+/, '');
  return /[a-zA-Z]/.test(tail) ? tail : '';
}

const CHANGES_VALUE =
  /\b(?:and|or|to|by|below|under|negative|minus|plus|more|less|fewer|zero|above|over|not|factorial|squared|cubed|hal(?:f|ves)|thirds?|fourths?|quarters?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|hundredths?|thousandths?|base|mod|modulo|remainder|if|when|for|where|except|infinity|times|sin|cos|tan|log|ln|pi|sqrt)\b/i;

/** Short units that cannot be a product of variables. */
const SHORT = new Set(
  'cm mm km nm kg mg lb lbs oz ft in mi yd hr hrs ms ml mL mph kph sq cu am pm AM PM a.m p.m of per'.split(
    ' ',
  ),
);

/** Whether a word after a number is a unit: it has three letters or more, or is a short unit. */
function isBareUnit(word: string, index: number, words: readonly string[]): boolean {
  const [, name = '', power = ''] = /^([A-Za-z.]*?)\.?(\^\{?[23]\}?)?$/.exec(word) ?? [];
  if (SHORT.has(name) || /^[A-Za-z]{3,}$/.test(name)) return true;
  return /^[mgsh]$/.test(name) && (power !== '' || index > 0 || words.length > 1);
}

const POWERS: Readonly<Record<string, bigint>> = {
  dozen: 12n,
  hundred: 100n,
  thousand: 1000n,
  million: 10n ** 6n,
  billion: 10n ** 9n,
  trillion: 10n ** 12n,
};

function multiplied(value: string, word: string, rest: string): Quantity | null {
  const factor = parseRational(value);
  const power = POWERS[word];
  if (factor === null || power === undefined) return null;
  const numerator = factor.numerator * power;
  const exact = numerator % factor.denominator === 0n;
  const product = exact ? `${numerator / factor.denominator}` : `\\frac{${numerator}}{${factor.denominator}}`;
  return { value: product, unit: rest === '' ? null : canonicalUnit(rest) };
}

const UNITS: ReadonlyMap<string, string> = new Map(
  [
    'cm centimeter centimetre',
    'mm millimeter millimetre',
    'km kilometer kilometre',
    'm meter metre',
    'in inch inche',
    'ft foot feet',
    'yd yard',
    'mi mile',
    'kg kilogram kilo',
    'g gram',
    'mg milligram',
    'lb pound',
    'oz ounce',
    'ton tonne',
    's second sec',
    'min minute',
    'h hour hr',
    'day',
    'week',
    'month',
    'year yr',
    'dollar usd',
    'cent',
    'euro',
    'percent pct percentage',
    'degree deg',
    'radian rad',
    'l liter litre',
    'ml milliliter millilitre',
    'gallon gal',
    'mph',
    'kph kmh',
    'am',
    'pm',
    'v volt',
    'w watt',
    'n newton',
    'j joule',
    'hz hertz',
    'penny pennie',
    'nickel',
    'dime',
  ].flatMap((names) =>
    names.split(' ').map((name): [string, string] => [name, names.split(' ', 1)[0] ?? name]),
  ),
);

/** The name of a unit in the table, with its power (`cm^2`); null for an unknown word, which does not change the value. */
function canonicalUnit(words: string): string | null {
  const lower = words
    .toLowerCase()
    .replace(/\b([ap])\.\s?m\b\.?/g, '$1m')
    .replace(/[.{}()]/g, '')
    .trim();
  const match = /^(square|sq|cubic|cu)?\s*([a-z]+)\s*(?:\^\s*([23]))?$/.exec(
    lower.replace(/^(\w+) (squared|cubed)$/, '$2 $1'),
  );
  if (match === null) return null;
  const name = match[2] ?? '';
  const singular = UNITS.get(name) ?? UNITS.get(name.replace(/s$/, ''));
  if (singular === undefined) return null;
  const power = match[3] ?? (match[1]?.startsWith('s') ? '2' : match[1]?.startsWith('c') ? '3' : '');
  return `${singular}${power === '' ? '' : `^${power}`}`;
}
