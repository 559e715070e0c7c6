/** Which unit do Chinese characters behind a number name (`5千米`, `3万元`, `9页`)? */

/** A unit's English name, or a Chinese noun, and the factor that characters such as 万 multiply the number by. `name` is empty without a unit. */
export interface ChineseUnit {
  readonly factor: bigint;
  readonly name: string;
  readonly isNoun: boolean;
}

/** Reads the characters behind a number; null when they may change the value (`半`, `以上`, `舍去`), or are too many to be a unit. */
export function chineseUnit(text: string): ChineseUnit | null {
  const known = UNITS.get(text);
  if (known !== undefined) return { factor: 1n, name: known, isNoun: false };
  const [, above = '', below = ''] = /^(.+)(?:每|\/)(.+)$/s.exec(text) ?? [];
  if (above !== '') return quotient(chineseUnit(above), chineseUnit(below));
  const times = MULTIPLIERS.get(text.charAt(0));
  if (times !== undefined) {
    const rest = text.length === 1 ? { factor: 1n, name: '', isNoun: false } : chineseUnit(text.slice(1));
    return rest === null ? null : { ...rest, factor: rest.factor * times };
  }
  if (text !== '倍' && (!/^\p{Script=Han}{1,5}$/u.test(text) || CHANGES_VALUE.test(text))) return null;
  if (COUNTS_SEVERAL.test(text)) return null;
  return { factor: 1n, name: text, isNoun: true };
}

/** `千米/时` and `米每秒`: the units of the table alone. */
function quotient(above: ChineseUnit | null, below: ChineseUnit | null): ChineseUnit | null {
  if (above === null || below === null || above.isNoun || below.isNoun) return null;
  if (above.name === '' || below.name === '' || below.factor !== 1n) return null;
  return { factor: above.factor, name: `${above.name}/${below.name}`, isNoun: false };
}

/** Numbers, fractions, "more than", "rejected" and the like. */
const CHANGES_VALUE =
  /[半多余几以上下左右约倍成折负零点或和及与至到不非无未舍弃增错否除删减加乘超过近大小于等两〇一二三四五六七八九十百千万亿之]/;

/** Measure words for two or more at once, in front of a noun: `5双鞋` may be 5 or 10 shoes. */
const COUNTS_SEVERAL = /^[双雙对對副足刻旬令罗羅]|^(?:月|号|號|点|點|年级)/;

const MULTIPLIERS: ReadonlyMap<string, bigint> = new Map([
  ['十', 10n],
  ['百', 100n],
  ['千', 1000n],
  ['万', 10_000n],
  ['亿', 100_000_000n],
  ['萬', 10_000n],
  ['億', 100_000_000n],
  ['打', 12n],
]);

/** Chinese names of units and measure words that have an English name. */
const UNITS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    千米: 'km',
    公里: 'km',
    米: 'm',
    分米: 'dm',
    厘米: 'cm',
    毫米: 'mm',
    千克: 'kg',
    公斤: 'kg',
    克: 'g',
    毫克: 'mg',
    吨: 't',
    升: 'l',
    毫升: 'ml',
    平方米: 'm^2',
    平方厘米: 'cm^2',
    平方分米: 'dm^2',
    平方千米: 'km^2',
    平方公里: 'km^2',
    立方米: 'm^3',
    立方厘米: 'cm^3',
    立方分米: 'dm^3',
    公顷: 'hectare',
    秒: 's',
    秒钟: 's',
    分钟: 'min',
    小时: 'h',
    时: 'h',
    天: 'day',
    日: 'day',
    周: 'week',
    星期: 'week',
    个月: 'month',
    年: 'year',
    岁: 'years',
    元: 'cny',
    块: 'cny',
    块钱: 'cny',
    人民币: 'cny',
    美元: 'usd',
    欧元: 'euro',
    英镑: 'gbp',
    日元: 'jpy',
    度: 'degree',
    摄氏度: 'C',
    华氏度: 'Fahrenheit',
    千瓦: 'kW',
    瓦: 'W',
    伏: 'V',
    円: 'jpy',
    人: 'people',
    双: 'pairs',
    雙: 'pairs',
    对: 'pairs',
    對: 'pairs',
    页: 'pages',
    本: 'books',
    本书: 'books',
  }),
);
