/** The answers that stand in boxes: `\boxed{…}`, `\fbox{…}`, `\boxed 7`. */
import { isAnothers, isDenied, isPlaceholder } from './no-answer.ts';

/** A box: the place of its command, and of what follows it. */
type Box = { readonly from: number; readonly content: string; readonly end: number };

/** The answer of the last boxes of a text. `from` and `end` are their places in it. */
export type Boxed = { readonly answer: string; readonly from: number; readonly end: number };

/**
 * The answer in the last complete box that holds one and that the text does not deny (`not \boxed{4}`). Boxes that are listed together
 * (`x = \boxed{1} or x = \boxed{-1}`) are one answer. Null when there is none. Linear in the length of the text.
 *
 * @param denied whether the words around a box deny it
 */
export function boxedAnswer(text: string, denied: typeof isDenied = isDenied): Boxed | null {
  const stated = boxesIn(text)
    .slice(-MOST_BOXES)
    .filter((box) => !denied(text, box.from, box.end, box.content) && !isUnclearPart(text, box));
  const own = stated.filter((box) => !isAnothers(text, box.from));
  const boxes = own.length === 0 ? stated : own;
  const last = boxes.at(-1);
  if (last === undefined) return null;
  const together = [last];
  for (const box of boxes.slice(-MOST_TOGETHER, -1).toReversed()) {
    const [next = last] = together;
    const between = text.slice(box.end, next.from);
    if (!isListed(between) && !isComplex(text, between, next.end)) break;
    together.unshift(box);
  }
  const [first = last] = together;
  const answer = together.length === 1 ? inItsFormula(text, last) : asOne(text, together);
  return { answer, from: first.from, end: last.end };
}

const MOST_TOGETHER = 12;
const MOST_BOXES = 100;

/** One pass with a stack of open braces, so that a megabyte of unclosed boxes costs no more than any other text. Of nested boxes the innermost. */
function boxesIn(text: string): Box[] {
  const open: { readonly from: number; readonly start: number }[] = [];
  const boxes: Box[] = [];
  let best = -1;
  const add = (from: number, start: number, content: string, end: number) => {
    if (isPlaceholder(content)) return;
    best = start;
    boxes.push({ from, content, end });
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') {
      const content = afterBoxCommand(text, at);
      if (content === null) {
        at += text.startsWith('boxed', at + 2) || text.startsWith('fbox', at + 2) ? 0 : 1;
      } else if (text[content] === '{') {
        open.push({ from: at, start: content + 1 });
        at = content;
      } else {
        const bare = bareBox(text, content);
        if (bare !== null) add(at, content, bare, content + bare.length);
        at = content - 1;
      }
    } else if (char === '{') {
      open.push({ from: -1, start: -1 });
    } else if (char === '}') {
      const { from, start } = open.pop() ?? { from: -1, start: -1 };
      if (start > best) add(from, start, text.slice(start, at).trim(), at + 1);
    }
  }
  return boxes;
}

const BOX = /\\(?:boxed|fbox)(?![a-zA-Z])\s*/y;

function afterBoxCommand(text: string, at: number): number | null {
  BOX.lastIndex = at;
  return BOX.test(text) ? BOX.lastIndex : null;
}

/** `\boxed 7` without braces: up to the next blank or dollar sign that is not inside braces. Null for a word, as in "with \boxed as asked". */
function bareBox(text: string, start: number): string | null {
  const longest = 200;
  let depth = 0;
  let end = start;
  for (; end < text.length && end - start < longest; end++) {
    const char = text.charAt(end);
    if (char === '{') depth++;
    if ((char === '}' && --depth < 0) || (char === '\\' && afterBoxCommand(text, end) !== null)) break;
    if (char === '$' || (depth === 0 && /\s/.test(char))) {
      const incomplete = char !== '$' && /^\\(?:[dt]?frac|sqrt)(?:\s|$)/.test(text.slice(start, end));
      if (!incomplete || end - start > 20) break;
    }
  }
  const token = text.slice(start, end).replace(/(?:\\[)\]]|[.,;:`"'*)]|[。，；])+$/, '');
  if (/^[a-zA-Z]$/.test(token)) return /^[ \t]+[a-z]/.test(text.slice(end, end + 3)) ? null : token;
  return /[\d\\∞∅]|[a-z][-+*/^=]/i.test(token) ? token : null;
}

/** What may stand between boxes that are one answer: a comma, "and" or "or", and the name of the next value. */
const BETWEEN =
  /^(?:[,;]|,?(?:\\text\{)?(?:and|or|und|oder|et|ou|y|o|和|或|、)\}?|[/:]|\}\{|)(?:(?:and|or))?(?:(?:\\text\{)?(?:and|or)\}?)?((?:[a-z](?:_\{?\w{1,4}\}?)?|\\[a-z]{2,7})=)?$/i;
/** A name of one word: `, width =`. */
const WORD_BETWEEN = /^[\s$]*[,;][\s$]*(?:and\s+)?[a-z]{3,12}\s*=\s*\$?$/i;

function isListed(between: string): boolean {
  if (between.length > 60 || /\n\s*\n/.test(between)) return false;
  if (WORD_BETWEEN.test(between)) return true;
  const plain = between.replace(/\\q?quad|\\[()[\],; ]|\\\\|[$&\s]/g, '');
  const named = BETWEEN.exec(plain);
  if (named === null) return false;
  // Boxes that nothing lists are one answer only when each has its name: `a = \boxed{3} \\ b = \boxed{4}`.
  return named[1] === undefined ? plain !== '' : true;
}

/** `\boxed{5} + \boxed{2}i`. */
function isComplex(text: string, between: string, end: number): boolean {
  return /^\s*[-+]\s*$/.test(between) && /^i(?![a-zA-Z])/.test(text.slice(end, end + 2));
}

const NAME = /(?:^|[^\w\\])([A-Za-z](?:_\{?\w{1,4}\}?)?|\\[a-z]{2,7})\s*&?=\s*[&$]?\s*$/;

/** Boxes that are one answer: a list, with their names where these differ; a tuple or a set, when brackets are around them; a fraction. */
function asOne(text: string, boxes: readonly Box[]): string {
  const [first] = boxes;
  const last = boxes.at(-1);
  if (first === undefined || last === undefined) return '';
  const between = text.slice(first.end, boxes[1]?.from ?? first.end).replace(/[\s$]/g, '');
  if (boxes.length === 2) {
    const both = `${first.content}${between}${last.content}`;
    if (/^[/:]$/.test(between)) return both;
    if (/^[-+]$/.test(between)) return `${both}i`;
    if (between === '}{') return inItsFormula(text, { ...first, content: both, end: last.end });
  }
  const values = boxes.map((box) => inItsFormula(text, box));
  if (values.every((value) => value === values[0])) return values[0] ?? '';
  const names = boxes.map((box) => NAME.exec(text.slice(Math.max(0, box.from - 40), box.from))?.[1]);
  if (!names.includes(undefined) && new Set(names).size === names.length) {
    return values.map((value, place) => `${names[place]}=${value}`).join(', ');
  }
  const before = text.slice(Math.max(0, first.from - 40), first.from).replace(/\\left(?![a-zA-Z])/g, '');
  const after = text.slice(last.end, last.end + 20).replace(/\\right(?![a-zA-Z])/g, '');
  const opened = /(\\\{|\((?<!\\\()|\[(?<!\\\[)|\\langle)\s*$/.exec(before)?.[1];
  const closed = /^\s*(\\\}|\)|\]|\\rangle)/.exec(after)?.[1];
  const list = values.join(', ');
  return opened === undefined || closed === undefined ? list : `${opened}${list}${closed}`;
}

/** A root or a fraction that a box stands in, or a power of a number. */
const AROUND =
  /\\(?:sqrt|[dt]?frac)\{$|\\[dt]?frac\{[^{}]{1,20}\}\{$|(?<![\d.])(?:\d{1,6}(?:\.\d{1,6})?\s?\\(?:times|cdot)\s?)?\d{1,6}\^\{$/;
/** What belongs to the value before a box: a sign, but no subtraction and no bullet of a list; the number before a root. */
const SIGN = /(?:^|[\s=$([{,]|\\\()([-−])$|[=$([]\s*([-−])\s+$/;
const FACTOR = /(?:^|[\s=$(])(-?\d{1,6})$/;
/** The number above the line: `1/\boxed{7}`. */
const NUMERATOR = /(?:^|[\s=$(])(-?\d{1,6}\/)$/;
/** `\boxed{7} million` */
const MULTIPLE =
  /^(?:[ \t~$]|\\[), ])*(?:\\text\{\s*)?(hundred|thousand|million|billion|trillion|dozen)(?![a-z])/i;
/** What belongs to it behind a box: a root, a fraction, a power, a power of ten. */
const REST =
  /^(?:\\sqrt(?:\[[^\]{}]{1,10}\])?(?:\{[^{}]{1,40}\}|\d)|\\pi(?![a-zA-Z])(?: [a-z](?:\^(?:\d|\{\d+\}))?(?![a-zA-Z]))?|\\[dt]?frac(?:\{[^{}]{1,20}\}\{[^{}]{1,20}\}|\d\d)|[a-z]?\^(?:\d|\{(?!st|nd|rd|th)[-\w]{1,6}\})(?![a-z])|\s*\\(?:times|cdot)\s*10\s*\^\s*(?:\{[^{}]{1,10}\}|\d)|[ $]{0,3}\+ ?C(?![a-zA-Z])|\s?\/\s?\d{1,6}(?![\d/])|!(?=\s*(?:\$|\\\))))/;

/** The value that a box is part of: `-\boxed{42}` is -42. What stands in an equation behind it is no part: in `\sqrt{\boxed{4}} = 2` it is 4. */
function inItsFormula(text: string, { from, content, end }: Box): string {
  const around = AROUND.exec(text.slice(Math.max(0, from - 40), from))?.[0] ?? '';
  // The first argument of a fraction has another one behind it.
  const rightSide =
    /^\\[dt]?frac\{$/.test(around) && !content.includes('}{')
      ? /^\}\{[^{}]{1,20}\}(?!\s*=)/
      : /^\}(?!\s*=|\{)/;
  const closing = around === '' ? undefined : rightSide.exec(text.slice(end, end + 40))?.[0];
  const whole = closing === undefined ? content : `${around}${content}${closing}`;
  const start = closing === undefined ? from : from - around.length;
  const before = text.slice(Math.max(0, start - 12), start);
  const behind = end + (closing?.length ?? 0);
  const tail = text.slice(behind, behind + 80);
  const multiple = /^(?:\\\$)?-?\d[\d.,]*$/.test(whole) ? MULTIPLE.exec(tail)?.[1] : undefined;
  const rest = multiple === undefined ? (REST.exec(tail)?.[0] ?? '') : ` ${multiple}`;
  if (/\\pm\s*$/.test(before)) return `\\pm ${whole}${rest}`;
  const factor = /^\\(?:sqrt|pi)/.test(whole) ? FACTOR.exec(before)?.[1] : undefined;
  const numerator = IN_EQUATION.test(tail) ? undefined : NUMERATOR.exec(before)?.[1];
  return `${factor ?? numerator ?? (SIGN.test(before) ? '-' : '')}${whole}${rest}`;
}

const IN_EQUATION = /^\s*=/;
/** A number that stands in a formula or begins the text; in "the 2\boxed{3}" it is no part of the value. */
const UNCLEAR_FACTOR = /(?:^|[=$(]\s*|\bis\s+)-?\d{1,6}$/;
const OPERATION = '(?:[+×·÷]|(?<!\\*)\\*|/|\\\\(?:times|cdot|div|pm))';
/** An operation with another value in front of a box, or a function: `2 \cdot \boxed{7}`, `$10 - \boxed{7}$`, `\sin(\boxed{7})`. */
const OPERATION_BEFORE = new RegExp(
  `(?:\\d|[)}]|(?<![a-zA-Z\\d\\\\])[a-z])[ ]*(?:${OPERATION}|(?<=(?:\\$|\\\\\\()[^$\\n]{1,40})-)[\\s({]*$|\\\\(?:sin|cos|tan|log|ln)[ ({]*$`,
);
const OPERATION_BEHIND = new RegExp(
  `^ ?(?:${OPERATION} ?(?:\\d|\\\\(?:frac|sqrt|pi)|[b-hj-z](?![a-zA-Z])|(?<!\\*)\\()|- ?\\d[^$\\n]{0,20}(?:\\$|\\\\\\)))`,
);

/**
 * Whether a box holds only a part of the value: `2\boxed{7}` may be 14 or 27, and `2 \cdot \boxed{7}` is 14. In `2\boxed{7} = 14` the box is what
 * was asked, and so is the letter of a choice.
 */
function isUnclearPart(text: string, { from, content, end }: Box): boolean {
  if (/^\W*[A-J]\W*$/.test(content)) return false;
  const before = text.slice(Math.max(0, from - 60), from);
  const behind = text.slice(end, end + 50);
  if (UNCLEAR_FACTOR.test(before.slice(-12)))
    return !/^\\(?:sqrt|pi)/.test(content) && !IN_EQUATION.test(behind);
  const joined = NUMERATOR.test(before.slice(-12)) || /box(?:ed)?\{[^{}]*\}[^{}]*$/.test(before);
  if ((joined || !OPERATION_BEFORE.test(before)) && (!OPERATION_BEHIND.test(behind) || REST.test(behind)))
    return false;
  // With a number on the other side, the box is what was asked.
  return (
    !/\d\s*=[^=\n$]*$/.test(before) && !/^[^\n$.;]{0,40}(?:[=<>≈]|\\(?:le|ge|lt|gt|approx))/.test(behind)
  );
}

/** What a box holds that the end of the text cut off: null unless it is a number, a formula or a letter that looks complete. */
export function cutOffBox(text: string): string | null {
  const tail = text.slice(-LONGEST_CUT_OFF);
  const at = Math.max(tail.lastIndexOf('\\boxed{'), tail.lastIndexOf('\\fbox{'));
  if (at < 0) return null;
  const content = tail
    .slice(tail.indexOf('{', at) + 1)
    .split(/\n|(?<!\\)\$|(?<!\\)\\[)\]]/, 1)[0]
    ?.replace(/[\s.;:]+$/, '')
    .trim();
  if (content === undefined || isPlaceholder(content) || /[-+*/^=,(_&<>]$|\\[a-zA-Z]*$/.test(content))
    return null;
  if (!balanced(content) || /[a-zA-Z]{2}/.test(content.replace(/\\[a-zA-Z]+/g, ''))) return null;
  return /\d/.test(content) || /^\(?[A-J]\)?$/.test(content) || /^\\?[a-zA-Z]+$/.test(content)
    ? content
    : null;
}

const LONGEST_CUT_OFF = 200;

/** Whether braces, also those of sets, and brackets are closed. Those of intervals may differ. */
function balanced(content: string): boolean {
  const count = (pattern: RegExp) => content.match(pattern)?.length ?? 0;
  return (
    count(/(?<!\\)\{/g) === count(/(?<!\\)\}/g) &&
    count(/\\\{/g) === count(/\\\}/g) &&
    count(/[([]/g) === count(/[)\]]/g)
  );
}
