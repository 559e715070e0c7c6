/** A whole number written in a stated base, such as `4210_{7}`. The value is not what is compared with other notations. */
export interface BaseNumeral {
  readonly base: number;
  readonly value: bigint;
}

/** Reads `1010_{2}`, `(1010)_2` or `2AF_{16}` (already normalised); null for anything else and for digits too large for the base. */
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
