import { hasWord } from './plain-words.ts';

/** Longest expression given to the compute engine, in characters: its parser gets slow quickly (0.2 s for 3,000 letters). */
const LONGEST_EXPRESSION = 300;

/** Deepest nesting of brackets, and the most functions: minus signs or logarithms nested 14 deep already take seconds. */
const DEEPEST_BRACKETS = 10;
const MOST_FUNCTIONS = 10;

/**
 * Whether an expression may be given to the compute engine. Refused is everything that is no plain expression (words, lists,
 * relations, decorations), everything the engine is known to read wrongly, and everything it cannot compute in bounded
 * time: its own time limit stops neither its parser nor powers of big integers.
 */
export function engineMayRead(text: string): boolean {
  return (
    text.length <= LONGEST_EXPRESSION &&
    /^[\x20-\x7e]+$/.test(text) &&
    !/[=<>:;?"'`#@&%$~,]/.test(text) &&
    !/\{\}|[\^_]$|\^\{?[-+*]\}?(?!\d|\w|\\|\()/.test(text) &&
    !hasWord(text) &&
    onlyKnownCommands(text) &&
    !/(?:^|[^a-zA-Z])[0-9)]+_/.test(text) &&
    !/\d{40}/.test(text) &&
    !AMBIGUOUS.test(text) &&
    boundedNesting(text) &&
    boundedBars(text) &&
    boundedFactorials(text) &&
    boundedPowers(text)
  );
}

/** `1/2x` is read both ways by people; `1 2/3` is read as 12/3 by the engine. */
const AMBIGUOUS = /\/ ?(?:\d+|[a-zA-Z]) ?(?:[a-zA-Z]|\\(?!cdot|times)|\()|\d \d/;

const KNOWN = new Set(
  (
    'frac sqrt pi cdot times sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp circ binom ' +
    'alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi rho sigma tau phi chi psi omega Delta Omega Theta Phi Lambda Sigma mathbf'
  ).split(' '),
);

function onlyKnownCommands(text: string): boolean {
  return [...text.matchAll(/\\([a-zA-Z]+|.)/g)].every((match) => KNOWN.has(match[1] ?? ''));
}

function boundedNesting(text: string): boolean {
  const functions = text.match(/\\(?:sin|cos|tan|cot|sec|csc|arc|ln|log|exp|binom)|[a-zA-Z]\(/g)?.length ?? 0;
  if (functions > MOST_FUNCTIONS) return false;
  const closers: string[] = [];
  for (const char of text) {
    const at = '([{'.indexOf(char);
    if (at >= 0) closers.push(')]}'.charAt(at));
    else if (')]}'.includes(char) && closers.pop() !== char) return false;
    if (closers.length > DEEPEST_BRACKETS) return false;
  }
  return closers.length === 0;
}

/** Bars open and close alike, so that the parser tries every way to pair them. */
function boundedBars(text: string): boolean {
  const bars = text.split('|').length - 1;
  return bars % 2 === 0 && bars <= 6 && !text.includes('||');
}

function boundedFactorials(text: string): boolean {
  if (/\\binom/.test(text)) return !/\d{4}/.test(text);
  return !text.includes('!') || !/\d{4,}!|[)}\]|]\s*!|!\s*!|\^/.test(text);
}

/** No exponent within an exponent, and the product of all numeric exponents at most 10^4: catches ((9^{999})^{999})^{999}. */
function boundedPowers(text: string): boolean {
  let product = 1;
  for (const { index } of text.matchAll(/\^/g)) {
    const exponent = exponentAt(text, index + 1);
    if (exponent.includes('^')) return false;
    for (const digits of exponent.match(/\d+(?:\.\d+)?/g) ?? []) product *= Math.max(1, Number(digits));
    if (product > 10_000) return false;
  }
  return true;
}

function exponentAt(text: string, start: number): string {
  if (text.charAt(start) !== '{') return text.charAt(start);
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text.charAt(at) === '{') depth++;
    if (text.charAt(at) === '}' && --depth === 0) return text.slice(start, at);
  }
  return text.slice(start);
}
