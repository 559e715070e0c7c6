/** Which unit do words behind a value name, and do two values have the same unit? */
import { isNumberWord, multiplier } from './words.ts';
import { chineseUnit } from './chinese-units.ts';
import { SEVERAL_WORDS, unitMeanings } from './unit-names.ts';

/** What is counted or measured: `km h^-1`, or a noun such as apples. */
export interface Unit {
  /** The product of powers in one spelling; more than one where a name has several meanings, as pound has. */
  readonly meanings: readonly string[];
  /** The noun that is counted, when there is one; null for a unit of the table. */
  readonly noun: string | null;
  /** The other words in front of or behind it: `red` balls, km `north`. */
  readonly qualifiers: readonly string[];
  /** What stands behind "of", "in" and the like: cups of `flour`. */
  readonly of: readonly string[];
  /** Which size of a thing it is, or which part of a number of things: a `height`, what is `left`. Empty when that is not said. */
  readonly aspect: string;
  /** Whether a value without a unit is another value: `5 pairs` may be 10, `5‰` is no percentage. */
  readonly needed: boolean;
}

/** Whether two stated units are the same. They are not when it is uncertain, as for `9 apples` and `9 pieces`. */
export function sameUnit(a: Unit, b: Unit): boolean {
  if (!a.meanings.some((meaning) => b.meanings.includes(meaning)) || a.noun !== b.noun) return false;
  if (a.of.length > 0 && b.of.length > 0 && a.of.join() !== b.of.join()) return false;
  if (a.aspect !== '' && b.aspect !== '' && a.aspect !== b.aspect) return false;
  // 5 red balls are not 5 blue ones, 5 km north are not 5 km, and 5 unpainted cubes may not be 5 cubes.
  return a.qualifiers.join() === b.qualifiers.join();
}

/** Words that leave the unit as it is. */
const FILLER = new Set('the a an full exactly only different distinct possible respectively'.split(' '));
/** Words for a size or a part, which leave the unit as it is, but `5 feet deep` is not `5 feet high`. */
const ASPECT: ReadonlyMap<string, string> = new Map(
  [
    'height high tall',
    'length long',
    'width wide broad breadth',
    'depth deep',
    'thickness thick',
    'age old',
    'distance away apart',
    'weight heavy',
    'left remaining',
    'total altogether all overall whole',
  ].flatMap((line) => line.split(' ').map((word) => [word, line.split(' ')[0] ?? ''])),
);
const PREPOSITION = new Set('of in from on at with into among'.split(' '));

/** Words that make another value of the one in front of them, or take it back. */
const CHANGES_VALUE = new Set(
  // Other numbers.
  (
    'and or to by below under negative minus plus more less fewer above over not factorial squared cubed half halves third thirds quarter quarters ' +
    'base binary octal hex hexadecimal decimal mod modulo remainder rem if when for where except infinity sin cos tan cot csc exp log ln sinh cosh tanh ' +
    'arcsin arccos arctan abs det pi sqrt point double doubled twice triple tripled thrice recurring repeating repeated imaginary inverse reciprocal ' +
    'opposite conjugate least most minimum maximum max nearly almost ish approximately approx about circa roughly around loss deficit debt decrease off bc bce non maybe perhaps possibly probably likely unsure guess ' +
    // Remarks that take the value back, also in other languages.
    'no none never nor neither either nothing but without unless is are was isn than as too out outside wrong incorrect false invalid impossible undefined ' +
    'extraneous spurious absurd contradiction contradicts fail fails failed reject rejects rejection rejected discard discards discarded excluded exclude ' +
    'omit omitted ignore ignored error erroneous mistake unacceptable inadmissible unsuitable inconsistent forbidden unphysical nonphysical void dropped ' +
    'removed eliminated crossed struck refused superseded retracted withdrawn cancelled canceled bad rej disc ext ' +
    'verworfen entfällt ungültig falsch nicht kein faux rejeté rejetée exclu rechazado rechazada descartado descartada inválido'
  ).split(' '),
);
/** `5 sixteenths`. */
const FRACTION =
  /(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|teen|tie|hundred|thousand|million|billion)ths?$/;

/** Units without which a value is another value. */
const NEEDED = new Set(['permille', 'ppm', 'bp', 'percentagepoint']);
const NEEDED_NOUNS = new Set(
  // What is short or late has the other direction.
  (
    'short late early extra spare surplus ahead behind ago up down before after ' +
    'pair couple brace trio quartet ream score fold grand thou mil mln mio mrd bil milliard milliarden millionen millone tausend hundert dutzend ' +
    'cento ciento docena douzaine dozzina myriad zillion'
  ).split(' '),
);

/** The factor and the unit of the words behind a value (`million dollars`); null when they may change the value, or are not understood. */
export function parseUnitWords(text: string): UnitWords | null {
  // The answers of a task have few units.
  const known = READ.get(text);
  if (known !== undefined) return known;
  const words = readUnitWords(text);
  if (READ.size >= MOST_READ) READ.clear();
  READ.set(text, words);
  return words;
}

type UnitWords = { readonly factor: bigint; readonly unit: Unit | null };

const READ = new Map<string, UnitWords | null>();
const MOST_READ = 500;

function readUnitWords(text: string): UnitWords | null {
  if (/\p{Script=Han}|[^\p{ASCII}\p{Script=Latin}\p{Sc}‰°·²³]/u.test(text))
    return parseChinese(text.replace(/\s/g, ''));
  const words = severalWords(text);
  let factor = 1n;
  let rest = words.trim();
  for (;;) {
    const [, word = '', behind = ''] = /^(?:in )?([A-Za-z]+)\b\.?\s*(.*)$/s.exec(rest) ?? [];
    const times = multiplier(word);
    if (times === null) break;
    factor *= times;
    rest = behind;
  }
  if (rest === '') return { factor, unit: null };
  const unit = parseUnit(rest);
  return unit === null ? null : { factor, unit };
}

function parseChinese(text: string): { factor: bigint; unit: Unit | null } | null {
  const found = chineseUnit(text);
  if (found === null) return null;
  if (found.name === '') return { factor: found.factor, unit: null };
  const unit = found.isNoun
    ? { meanings: [''], noun: found.name, qualifiers: [], of: [], aspect: '', needed: false }
    : parseUnit(found.name);
  return unit === null ? null : { factor: found.factor, unit };
}

/** Writes names of several words as one: `per cent`, `degrees Celsius`, `US dollars`. */
export function severalWords(text: string): string {
  let words = text
    .replace(/\\(?:cdot|times)(?![a-zA-Z])/g, '*')
    .replace(/\\?%/g, ' percent ')
    .replace(/\\mu ?/g, 'u')
    .replace(/\\Omega(?![a-zA-Z])/g, 'ohm')
    .replace(/\\\$/g, ' usd ');
  for (const [form, one] of SEVERAL_WORDS) words = words.replace(form, one);
  return words;
}

/** The factors of a unit with their meanings and powers, and the words that are none. */
interface Parts {
  readonly factors: { readonly meanings: readonly string[]; power: number }[];
  readonly others: string[];
  readonly of: string[];
}

/** Reads a unit: a product or quotient of units and nouns. Null when a word may change the value. */
function parseUnit(text: string): Unit | null {
  const tokens = text.match(/[\p{L}‰¢₠-₿£¥°]+|\^\{?-?\d\}?|\d|\/|[^\s]/gu) ?? [];
  const parts: Parts = { factors: [], others: [], of: [] };
  let sign = 1;
  let ahead = 1;
  let head: string | null = null;
  let inDenominator = 0;
  let behindPreposition = false;
  const aspects = new Set<string>();
  for (const [at, token] of tokens.entries()) {
    const lower = token.toLowerCase();
    const last = parts.factors.at(-1);
    if (token === '/' || lower === 'per') {
      sign = -1;
      inDenominator = parts.factors.length;
      behindPreposition = false;
    } else if (/^\^|^\d$/.test(token) || lower === 'squared' || lower === 'cubed') {
      if (last === undefined) return null;
      last.power *= lower === 'squared' ? 2 : lower === 'cubed' ? 3 : Number(token.replace(/[{}^]/g, ''));
    } else if (/^(?:square|sq|cubic|cu)$/.test(lower)) {
      ahead = lower.startsWith('s') ? 2 : 3;
    } else if (/^[\p{L}‰¢₠-₿£¥]/u.test(token)) {
      if (CHANGES_VALUE.has(lower) || FRACTION.test(lower)) return null;
      if (isNumberWord(lower) || multiplier(lower) !== null) return null;
      const meanings = lower === 'in' && !isInch(tokens, at) ? null : unitMeanings(token);
      if (meanings !== null && !behindPreposition) {
        parts.factors.push({ meanings, power: sign * ahead });
        ahead = 1;
      } else if (PREPOSITION.has(lower)) {
        behindPreposition = true;
      } else if (ASPECT.has(lower)) {
        aspects.add(ASPECT.get(lower) ?? '');
      } else if (!FILLER.has(lower)) {
        const word = stem(lower);
        if (behindPreposition) parts.of.push(word);
        else if (sign < 0 && parts.factors.length === inDenominator) {
          parts.factors.push({ meanings: [`~${word}`], power: -1 });
        } else if (sign > 0) {
          parts.others.push(word);
          head = word;
        } else parts.others.push(word);
      }
    } else if (!/^[.,()*·{}-]$/.test(token)) {
      return null;
    }
  }
  if (ahead !== 1) return null;
  const counted = parts.factors.every(({ power }) => power < 0);
  if (counted && head === null && parts.factors.length === 0 && parts.of.length > 0) return null;
  const noun = counted ? head : null;
  const qualifiers = [...new Set(parts.others)].filter((word) => word !== noun).toSorted();
  const meanings = products(parts.factors);
  const needed =
    (noun !== null &&
      (NEEDED_NOUNS.has(noun) || noun.length < 3 || (tokens.length === 1 && isParticiple(noun)))) ||
    meanings.some((meaning) => NEEDED.has(meaning)) ||
    (meanings.includes('percent') && qualifiers.length > 0);
  return { meanings, noun, qualifiers, of: parts.of, aspect: [...aspects].toSorted().join(' '), needed };
}

/** "in" is a unit when no word follows it. */
function isInch(tokens: readonly string[], at: number): boolean {
  return !tokens.slice(at + 1).some((token) => /^\p{L}/u.test(token) && token.toLowerCase() !== 'per');
}

/** `unused` may be a remark about the value, `seeds` is a noun. */
function isParticiple(word: string): boolean {
  return (
    /[a-z]{2}ed$/.test(word) && !/^(?:seed|weed|shed|sled|speed|steed|reed|feed|breed|seaweed)$/.test(word)
  );
}

/** A noun in one number: `apples` and `apple`, `boxes` and `box`, `leaves` and `leaf`. */
function stem(word: string): string {
  const regular = IRREGULAR.get(word) ?? word;
  return regular
    .replace(/(?<=[a-z]{2})(?<![sui])s$/, '')
    .replace(/(?<=[a-z]{2}(?:[sxzovf]|ch|sh))e$/, '')
    .replace(/ie$/, 'y')
    .replace(/v$/, 'f');
}

const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ['people', 'person'],
  ['children', 'child'],
  ['men', 'man'],
  ['women', 'woman'],
  ['teeth', 'tooth'],
  ['mice', 'mouse'],
  ['geese', 'goose'],
]);

/** The product in one spelling, for every choice of the meanings. */
function products(factors: Parts['factors']): string[] {
  let all: Map<string, number>[] = [new Map()];
  for (const { meanings, power } of factors.slice(0, 8)) {
    all = all.slice(0, 4).flatMap((product) =>
      meanings.map((meaning) => {
        const next = new Map(product);
        for (const part of meaning.split(' ')) {
          const [name = '', exponent = '1'] = part.split('^');
          next.set(name, (next.get(name) ?? 0) + Number(exponent) * power);
        }
        return next;
      }),
    );
  }
  return all.map((product) =>
    [...product]
      .filter(([, power]) => power !== 0)
      .map(([name, power]) => (power === 1 ? name : `${name}^${power}`))
      .toSorted()
      .join(' '),
  );
}
