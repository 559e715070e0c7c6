/** Functions and constants that are written without their backslash, and answers that are words. */

const FUNCTIONS =
  'sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp sqrt frac pi infty alpha beta gamma theta lambda cdot times pm cup'.split(
    ' ',
  );
const COMMANDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(FUNCTIONS.map((name) => [name, `\\${name}`])),
  asin: '\\arcsin',
  acos: '\\arccos',
  atan: '\\arctan',
  inf: '\\infty',
  infinity: '\\infty',
  oo: '\\infty',
  Pi: '\\pi',
  plusminus: '\\pm',
};

/** `7*sin(pi*x)` as `7*\sin(\pi*x)`. Text in `\text{…}` and commands stay as they are; so does a word that only contains `sin`. */
export function backslashFunctions(text: string): string {
  return outsideText(text, (part) =>
    part.replace(/(\\?)([a-zA-Z]+)/g, (run, slash: string, name: string) => {
      const command = slash === '' && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
      return command === undefined ? run : `${command} `;
    }),
  );
}

/** Applies `change` to the stretches of `text` that are not inside `\text{…}`. */
export function outsideText(text: string, change: (part: string) => string): string {
  return text
    .split(/(\\text\{[^{}]*\})/)
    .map((part, index) => (index % 2 === 1 ? part : change(part)))
    .join('');
}

const TWO_LETTER_WORDS = new Set(
  'no on is or of go at it to up by in an as am pm be he me we my us so if do'.split(' '),
);

/** Whether `text`, outside `\text{…}` too, has a run of letters that is a word and not a product of variables. */
export function hasWord(text: string): boolean {
  if (text.includes('\\text{') || /[^\x00-\x7f]/.test(text)) return true;
  const bare = text.replace(/\\[a-zA-Z]+/g, ' ').trim();
  return /[a-zA-Z]{3}/.test(bare) || TWO_LETTER_WORDS.has(bare.toLowerCase());
}

/**
 * What makes two answers in words the same: letters, digits and operators, without case, spacing and punctuation.
 * Null when `text` is not an answer in words: `\text{even}`, `(C)`, `Evelyn`, `no solution` are; `2x`, `xy`, `3 apples` are not.
 */
export function wordKey(text: string): string | null {
  const plain = text.replace(/\\text\{([^{}]*)\}/g, ' $1 ').trim();
  const isText = /^[\s().,]*\\text\{[^{}]*\p{L}[^{}]*\}[\s().,]*$/u.test(text) && !/^\s*[-\d.$]/.test(plain);
  const onlyLetters = /^[\p{L}\s().,;:'"!?-]+$/u.test(plain) && /\p{L}/u.test(plain);
  if (!isText && !(onlyLetters && (hasWord(text) || /^\(?[A-Z]\)?$/.test(text)))) return null;
  const key = plain.toLowerCase().replace(/[\s.,;:!?"'()]+/g, '');
  return key === '' ? null : key;
}
