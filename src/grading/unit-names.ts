/** Which names of units mean the same unit? */

/** A unit is a product of named factors with powers; a name has more than one meaning when people use it for different units. */
export type Meanings = readonly string[];

/** One unit a line: its canonical name, then its other names. Words are written without their plural s. */
const WORDS = `
m meter metre
g gram gramme
l liter litre
s sec second
W watt
V volt
A ampere amp
ohm Ω
kohm kilohm
Mohm megohm
J joule
N newton
Pa pascal
Hz hertz
F farad
mol mole
cal calorie
eV electronvolt
bit
byte
t tonne
kg kilo
in inch inche
ft foot feet
yd yard
mi mile
nmi
ly lightyear
au
acre
hectare ha
min minute
h hour hr
day
week wk
fortnight
month mo
year yr
decade
century centurie
lb pound
oz ounce
floz
stone
ton
gallon gal
quart qt
pint pt
cup
tablespoon tbsp
teaspoon tsp
usd dollar buck
cent ¢
penny pennie pence
nickel
dime
euro eur €
gbp £ quid
jpy yen ¥ 円
cny yuan rmb renminbi 元
inr rupee ₹ rs
krw won ₩
rub ruble rouble ₽
peso
chf
cad
aud
percent pct percentage
permille permil ‰
ppm
bp bps basispoint
percentagepoint pp
degree deg
C celsius centigrade
Fahrenheit fahrenheit
K kelvin
rad radian
gradian
arcminute
arcsecond
revolution rev
am
pm
bar
atm atmosphere
mmHg
hp horsepower
dB decibel
knot kn
unit
`;

/** Units that take prefixes, as symbols and as words; their symbols count only as they are written, since mW is not MW. */
const PREFIXED: Readonly<Record<string, string>> = {
  m: 'meter metre',
  g: 'gram gramme',
  l: 'liter litre',
  s: 'second',
  W: 'watt',
  V: 'volt',
  A: 'ampere amp',
  ohm: 'ohm',
  J: 'joule',
  N: 'newton',
  Pa: 'pascal',
  Hz: 'hertz',
  F: 'farad',
  mol: 'mole',
  cal: 'calorie',
  eV: 'electronvolt',
  bit: 'bit',
  byte: 'byte',
};
const PREFIXES: Readonly<Record<string, string>> = {
  p: 'pico',
  n: 'nano',
  u: 'micro',
  m: 'milli',
  c: 'centi',
  d: 'deci',
  da: 'deca',
  h: 'hecto',
  k: 'kilo',
  M: 'mega',
  G: 'giga',
  T: 'tera',
};

/** Names of products of units, and abbreviations that only count as they are written. */
const PRODUCTS: Readonly<Record<string, string>> = {
  mph: 'mi h^-1',
  kph: 'km h^-1',
  kmh: 'km h^-1',
  kmph: 'km h^-1',
  mps: 'm s^-1',
  fps: 'ft s^-1',
  rpm: 'revolution min^-1',
  mpg: 'mi gallon^-1',
  psi: 'lb in^-2',
  cc: 'cm^3',
  Wh: 'W h',
  mWh: 'mW h',
  kWh: 'kW h',
  MWh: 'MW h',
  GWh: 'GW h',
  TWh: 'TW h',
  Ah: 'A h',
  mAh: 'mA h',
  Nm: 'N m',
  sqft: 'ft^2',
  L: 'l',
  Rs: 'inr',
  Cal: 'kcal',
  MB: 'Mbyte',
  GB: 'Gbyte',
  KB: 'kbyte',
  kB: 'kbyte',
  TB: 'Tbyte',
  Mb: 'Mbit',
  Gb: 'Gbit',
  kb: 'kbit',
  Kg: 'kg',
  KG: 'kg',
  Km: 'km',
  KM: 'km',
  CM: 'cm',
  MM: 'mm',
};

const NAMES: ReadonlyMap<string, Meanings> = names();

function names(): Map<string, Meanings> {
  const found = new Map<string, Meanings>();
  for (const line of WORDS.trim().split('\n')) {
    const [canonical = '', ...others] = line.split(' ');
    for (const name of [canonical, ...others]) found.set(name, [canonical]);
  }
  for (const [symbol, words] of Object.entries(PREFIXED)) {
    for (const [prefix, word] of Object.entries(PREFIXES)) {
      const canonical = `${prefix}${symbol}`;
      // A foot is no femto-ton and an hour no hecto-unit: a symbol that already has a meaning keeps it.
      if (!found.has(canonical)) found.set(canonical, [canonical]);
      if (symbol === 'l') found.set(`${prefix}L`, [canonical]);
      // 5 pm is a time.
      const meaning = canonical === 'pm' ? 'picometer' : canonical;
      for (const name of words.split(' ')) found.set(`${word}${name}`, [meaning]);
    }
  }
  for (const [name, product] of Object.entries(PRODUCTS)) found.set(name, [product]);
  found.set('pound', ['lb', 'gbp']);
  return found;
}

/** Single letters: units only where the text marks them, in `\text{…}`, in a product such as `m/s`, or beside another stated unit. */
const LETTERS: Readonly<Record<string, string>> = {
  m: 'm',
  g: 'g',
  s: 's',
  h: 'h',
  l: 'l',
  L: 'l',
  t: 't',
  W: 'W',
  V: 'V',
  A: 'A',
  J: 'J',
  N: 'N',
  K: 'K',
  C: 'C',
  F: 'Fahrenheit',
  p: 'penny',
  d: 'day',
};

/** The meanings of a word or a symbol that is a unit; null when it is none. A word's case does not count, and it may be in the plural. */
export function unitMeanings(name: string): Meanings | null {
  if (name.length === 1 && /[A-Za-z]/.test(name)) {
    const letter = Object.hasOwn(LETTERS, name) ? LETTERS[name] : undefined;
    return letter === undefined ? null : [letter];
  }
  const exact = NAMES.get(name);
  if (exact !== undefined) return exact;
  const lower = name.toLowerCase();
  // Only words and the commonest abbreviations may be written in another case: Mw is neither mW nor MW.
  if (lower.length < 3 && !ANY_CASE.has(lower)) return null;
  return NAMES.get(lower) ?? NAMES.get(lower.replace(/s$/, '')) ?? null;
}

const ANY_CASE = new Set('cm km kg ft in lb oz yd mi hr am pm'.split(' '));

/** Units that have several words, written as one. */
export const SEVERAL_WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bper\s?cent\b/gi, 'percent'],
  [/\bper\s?(?:mill?e?|thousand)\b/gi, 'permille'],
  [/\b(?:percentage|percent|%)\s?points?\b/gi, 'percentagepoint'],
  [/\bbasis\s?points?\b/gi, 'basispoint'],
  [/\bdeg(?:ree)?s?\.?\s?(celsius|centigrade|fahrenheit|kelvin|C|F|K)\b/gi, '$1'],
  [/\blight[\s-]?years?\b/gi, 'lightyear'],
  [/\bnautical\s(?:miles?|mi)\b/gi, 'nmi'],
  [/\b(?:fluid|fl)\.?\s(?:ounces?|oz)\b/gi, 'floz'],
  [/\bmetric\s?tons?\b/gi, 'tonne'],
  [/(?:^|\s)an?\s(?=(?:hour|minute|second|day|week|month|year)\b)/gi, ' per '],
  [/\b(?:US|U\.S\.?)\s?dollars?\b|\bUS\s?\$/gi, 'usd'],
  [/\b([ap])\.\s?m\b\.?/gi, '$1m'],
  [/\bkilowatt[\s-]?hours?\b/gi, 'kWh'],
];
