/** Which part of an answer is its value, and which is its unit? */
import { multiplier } from './words.ts';
import { parseRational } from './numbers.ts';
import { unitMeanings } from './unit-names.ts';
import { parseUnitWords, severalWords, type Unit } from './units.ts';

/** A value and its unit; `unit` is null when the answer states none. */
export interface Quantity {
  readonly value: string;
  readonly unit: Unit | null;
}

/**
 * Splits a unit off the end (`5\text{ cm}^2`, `10weeks`, `50\%`, `9 (apples)`) and a currency off the front. Words such as million and lakh
 * multiply the value. A text with words that may change the value in another way (`5 below zero`, `5 (rejected)`) stays whole.
 *
 * @param beside whether the other answer has a unit: then `5 m` is five meters, and else 5 times m
 */
export function splitUnit(text: string, beside = false): Quantity {
  if (WITHOUT_UNIT.test(text)) return { value: text, unit: null };
  return (
    money(text, beside) ??
    degrees(text, beside) ??
    angleExpression(text) ??
    splitWords(text, null, beside) ?? { value: text, unit: null }
  );
}

/** A number or a fraction alone, or a text without letters and signs: most answers. */
const WITHOUT_UNIT = /^(?:[^a-zA-Z%$\u0080-\uffff]*|-?\\frac\{-?\d+\}\{-?\d+\})$/;

const CURRENCY: Readonly<Record<string, string>> = {
  '\\$': 'usd',
  US$: 'usd',
  'US\\$': 'usd',
  $: 'usd',
  '€': 'euro',
  '£': 'gbp',
  '¥': 'jpy',
  '₹': 'inr',
  '₩': 'krw',
  '₽': 'rub',
  rs: 'inr',
  inr: 'inr',
  usd: 'usd',
  eur: 'euro',
  gbp: 'gbp',
  jpy: 'jpy',
  cny: 'cny',
  rmb: 'cny',
  krw: 'krw',
  chf: 'chf',
  cad: 'cad',
  aud: 'aud',
};
const MONEY =
  /^(-?)\s*(?:\\text\{\s*)?(US ?\\?\$|\\\$|[€£¥₹₩₽]|(?:rs|inr|usd|eur|gbp|jpy|cny|rmb|krw|chf|cad|aud)(?![a-z]))\.?\s*\}?\s*(-?)(?=[\d.\\(])/i;

function money(text: string, beside: boolean): Quantity | null {
  const found = MONEY.exec(text);
  if (found === null) return null;
  const [all, before = '', sign = '', behind = ''] = found;
  const name =
    CURRENCY[sign.replace(/ /g, '').toLowerCase().replace(/^us/, '')] ?? CURRENCY[sign.toLowerCase()];
  if (name === undefined) return null;
  const value = `${before}${behind}${text.slice(all.length)}`.replace(/\/-$/, '');
  return splitWords(value, name, beside) ?? { value, unit: unitOf(name) };
}

function unitOf(name: string): Unit | null {
  return parseUnitWords(name)?.unit ?? null;
}

/** `20^{\circ}`, `20^{\circ}C`, `20^{\circ} \text{ Celsius}`. */
function degrees(text: string, beside: boolean): Quantity | null {
  const found = /^(.*[^\s^])\s*\^\{?\\circ\s*\}?\s*(\\text\{[^{}]*\}|[a-zA-Z]*)$/s.exec(text);
  if (found === null || /\\(?:circ|sin|cos|tan|cot|sec|csc)/.test(found[1] ?? '')) return null;
  const words = unwrapped(found[2] ?? '');
  if (words.length === 1 && !/[CFK]/.test(words) && !beside) return null;
  const unit = parseUnitWords(`degree ${words}`)?.unit ?? null;
  return unit === null ? null : { value: found[1] ?? '', unit };
}

/** An angle in an expression, as in 90^{\circ}-\frac{\alpha}{2}; degrees and minutes (30^{\circ}15') stay together. */
function angleExpression(text: string): Quantity | null {
  return /\^\{\\circ\}/.test(text) &&
    !/\\circ\}\s*[\dA-Za-z]|['"]|\\(?:sin|cos|tan|cot|sec|csc|text)|[=<>,]/.test(text)
    ? { value: text.replaceAll('^{\\circ}', ''), unit: unitOf('degree') }
    : null;
}

/** The words behind the value, with a currency in front of it; null when there are none, or none that are understood. */
function splitWords(text: string, currency: string | null, beside: boolean): Quantity | null {
  const tail = bracketTail(text, beside) ?? unitTail(text);
  const value = text.slice(0, text.length - tail.length).trim();
  if (tail === '' || !/(?:[\d})\]]|\\pi)$/.test(value)) return null;
  const words = unwrapped(tail.replace(/^\s*[([](.*)[)\]]$/s, '$1'));
  const marked = /^\s*(?:\\text\{|\\?%|\\\$|[([‰\u0080-\u00bf\u0250-\uffff])/.test(tail);
  if (!marked && !isBareTail(value, words, beside)) return null;
  const parsed = parseUnitWords(words);
  if (parsed === null) return null;
  const multiplied = parsed.factor === 1n ? value : times(value, parsed.factor);
  if (multiplied === null) return null;
  if (currency === null) return { value: multiplied, unit: parsed.unit };
  const same = parsed.unit === null || parsed.unit.meanings.includes(currency);
  const unit = same
    ? unitOf(currency)
    : (parseUnitWords(`${currency} ${withoutMultipliers(words)}`)?.unit ?? null);
  return unit === null ? null : { value: multiplied, unit };
}

function withoutMultipliers(words: string): string {
  return words.replace(/^(?:\s*(?:hundred|thousand|million|billion|trillion|lakh|crore|dozen)s?\b)+/i, '');
}

function unwrapped(words: string): string {
  return words.replace(/\\text\{((?:[^{}]|\{[^{}]*\})*)\}/g, ' $1 ').trim();
}

/** A unit in brackets behind a number: `9(apples)`, `36(sq. inches)`. */
function bracketTail(text: string, beside: boolean): string | null {
  const found =
    /^-?(?:[\d.,/]+|\\frac\{\d+\}\{\d+\})\s*([([]\s*(?:\\?%|[€£¥₹¢‰]|[A-Za-z][A-Za-z.\s/^{}23-]*)[)\]])$/.exec(
      text,
    );
  if (found === null) return null;
  const inside = (found[1] ?? '').slice(1, -1).trim();
  // 5 (m) is a product, unless another unit is stated beside it.
  if (/^[A-Za-z][\d^{}]*$/.test(inside) && !beside) return null;
  const words = severalWords(inside).split(/[\s/]+/);
  return words.every((word) => !/[A-Za-z]/.test(word) || isBareWord(word, true)) ? (found[1] ?? '') : null;
}

const UNIT_TOKEN =
  /(?:\\text\{(?:[^{}]|\{[^{}]*\})*\}|\\?%|‰|[€£¥₹₩₽¢]|\\\$|\\Omega|\\mu ?[A-Za-z]{1,2}|(?<![A-Za-z\\])[apAP]\.\s?[mM]\.?|(?<![A-Za-z\u00C0-\u024F\\])[A-Za-z\u00C0-\u024F]{2,}\.?|(?:(?<=\\cdot)|(?<![A-Za-z\\]))[A-Za-z](?=[23]?(?:$|\^|\/|\\cdot|[.\s]))|[23](?=$|\/)(?<=[a-z][23])|\p{Script=Han}+|\s+|\/|-|\\cdot|\^\{?-?[123]\}?)$/u;

/** The words and powers at the end of `text`, found token by token from the right, in the last 100 characters. */
function unitTail(text: string): string {
  const end = text.slice(-100);
  let at = end.length;
  while (at > 0) {
    const token = UNIT_TOKEN.exec(end.slice(0, at))?.[0];
    if (token === undefined) break;
    at -= token.length;
  }
  // A power or an operator belongs to the value unless a unit stands before it.
  const tail = end
    .slice(at)
    .replace(/^(?:\s*(?:\^\{?-?[123]\}?|\/(?!\s*(?:\\text|[a-z]{3}))|-|\\cdot))+/, '');
  return /[\p{L}%‰€£¥₹₩₽¢$]/u.test(tail) ? tail : '';
}

/** Signs of units that are not read as a product of variables. */
export const SHORT_UNITS: ReadonlySet<string> = new Set(
  'cm mm km nm kg mg lb lbs oz ft in mi yd hr hrs ms ml mL mph kph sq cu am pm AM PM a.m p.m A.M P.M Am Pm of per L wk yr kW kWh kJ Hz kHz MHz GHz KB MB GB TB Rs'.split(
    ' ',
  ),
);
const TIME = /^\d{1,2}(?::\d{2}){1,2}$/;

/** Whether words without `\text` are a unit and not a product of variables: `10 weeks`, `60 km/h`, but not `10m` or `6abc`. */
function isBareTail(value: string, words: string, beside: boolean): boolean {
  if (TIME.test(value)) return /^(?:[ap]\.?\s?m\.?)$/i.test(words);
  if (parseRational(value) === null) return false;
  const parts = severalWords(words)
    .split(/[\s/*]+/)
    .filter((part) => part !== '');
  const compound = /\/|\b(?:sq|cu|square|cubic|per)\b/.test(words);
  const article = (part: string, at: number): boolean =>
    /^an?$/.test(part) && at > 0 && at < parts.length - 1;
  return parts.every((part, at) => article(part, at) || isBareWord(part, beside, compound));
}

function isBareWord(word: string, beside: boolean, compound = false): boolean {
  const [, name = '', power = ''] =
    /^([A-Za-z\u00C0-\u024F.-]*?)\.?(\^\{?-?[123]\}?|[23])?$/.exec(word) ?? [];
  if (SHORT_UNITS.has(name) || multiplier(name) !== null) return true;
  if (beside && unitMeanings(name) !== null) return true;
  if (/^[A-Za-z\u00C0-\u024F-]{3,}$/.test(name)) return unitMeanings(name) !== null || !isProduct(name);
  return /^[mgsh]$/.test(name) && (power !== '' || compound);
}

/** The sides of a size, `3\times4` or `3\text{ cm}\times4\text{ cm}`; null for other texts. A unit behind the last side is that of all. */
export function parseSize(text: string): readonly Quantity[] | null {
  if (text.length > 100 || !/\\times ?\d/.test(text)) return null;
  const sides = text.split('\\times').map((side) => splitUnit(side.trim(), true));
  const values = sides.map(({ value }) => parseRational(value));
  if (values.some((value) => value === null || value.powerOfTen !== undefined)) return null;
  const unit = sides.at(-1)?.unit ?? null;
  return sides.slice(0, -1).every((side) => side.unit === null)
    ? sides.map(({ value }) => ({ value, unit }))
    : sides;
}

const PART = /(\d+(?:\.\d+)?) ?(?:\\text\{\s*)?([A-Za-z]+)\.?\s*\}?[ ,]*/g;

/** A quantity of two units or more in one spelling, `5 ft 3 in`; null for other texts. */
export function parseCompound(text: string): string | null {
  if (text.length > 100 || !/\d ?(?:\\text\{)? ?[A-Za-z]+[.} ,]*\d/.test(text)) return null;
  const parts = [...text.matchAll(PART)];
  if (parts.length < 2 || parts.map(([part]) => part).join('') !== text) return null;
  const named = parts.map(([, value, name = '']) => {
    const meanings = unitMeanings(name);
    return meanings === null ? null : `${value} ${meanings.join('|')}`;
  });
  return named.includes(null) ? null : named.join(' ');
}

const SHORT_NOUNS = new Set('box boy cow fox lot dot guy chip city act ant foot'.split(' '));

/** Letters in the order of the alphabet, or without a vowel: `abc` and `xyz` are products of variables. */
function isProduct(letters: string): boolean {
  if (letters.length > 4 || SHORT_NOUNS.has(letters)) return false;
  return (
    !/[aeiouy]/i.test(letters) ||
    Array.from(letters).every((letter, at) => at === 0 || letter > letters.charAt(at - 1))
  );
}

function times(value: string, factor: bigint): string | null {
  const number = parseRational(value);
  if (number === null) return null;
  const numerator = number.numerator * factor;
  return numerator % number.denominator === 0n
    ? `${numerator / number.denominator}`
    : `\\frac{${numerator}}{${number.denominator}}`;
}
