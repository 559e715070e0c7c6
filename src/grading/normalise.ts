/** How is an answer written in one spelling, before it is compared? */
import { braceArguments, isBalanced, OR } from './expression.ts';
import { chemicalFormula } from './formula.ts';
import {
  backslashFunctions,
  dateInWords,
  fractionWord,
  listedWords,
  numberList,
  numberWord,
  ordinalWord,
  outsideText,
  wordKey,
} from './words.ts';
import { inBase, numeralForms, repeatingDecimals } from './numbers.ts';
import { canonicalCommands, unicodeToLatex } from './symbols.ts';

/** The greatest length of an answer that is normalised, in characters. Longer ones are compared as they are, so that every rule is fast. */
export const LONGEST_ANSWER = 2000;

/**
 * One spelling for answers that differ only in notation: the rules of the MATH normaliser (Hendrycks et al., as in PRM800K), and rules for
 * Unicode, Markdown, ASCII functions and lists with "and". Idempotent. It never computes a value.
 */
export function normalise(answer: string): string {
  if (answer.length > LONGEST_ANSWER) return answer.trim();
  let text = answer;
  for (let pass = 0; pass < 4; pass++) {
    const next = normaliseOnce(text);
    if (next === text) break;
    text = next;
  }
  return text;
}

function normaliseOnce(answer: string): string {
  let text = unwrap(canonicalCommands(delimiters(systems(unicodeToLatex(unquoted(answer))))));
  text = numeralForms(inBase(backslashFunctions(texts(spacing(repeatingDecimals(text))))));
  const known = chemicalFormula(text) ?? twoChoices(text) ?? dateInWords(text.trim());
  if (known !== null) return known;
  text = numberList(text) ?? text;
  const key = wordKey(text);
  if (key !== null) return words(key, text);
  text = operators(separators(thousands(text)));
  if (!isBalanced(text)) return text.trim();
  text = braceArguments(text);
  return tidy(tightened(text));
}

/** Without the quotation marks around the whole answer. Marks behind a number alone are inches or primes. */
function unquoted(answer: string): string {
  if (!/^\s*["'“„«‘「『`]/.test(answer)) return answer;
  const inside =
    /^\s*(?:"([^"]+)"|“([^“”]+)”|„([^„“”]+)[“”]|«([^«»]+)»|'([^']+)'|‘([^‘’]+)’|「([^「」]+)」|『([^『』]+)』|``([^`']+)'')\s*\.?\s*$/s.exec(
      answer,
    );
  return inside?.slice(1).find((part) => part !== undefined) ?? answer;
}

/** Writes a brace that only opens, in front of rows, as the environment `cases`; and what Markdown strikes out as a command. */
function systems(text: string): string {
  if (!text.includes('\\right') && !text.includes('~~')) return text;
  return text
    .replace(/~~([^~]+)~~/g, '\\sout{$1}')
    .replace(
      /\\left\s*\\(?:\{|lbrace)\s*(?:\\begin\{(?:array|aligned|matrix|gathered)\}(?:\{[lcr| ]*\})?)?((?:(?!\\(?:left|right|begin|end)\b).)*)(?:\\end\{(?:array|aligned|matrix|gathered)\})?\s*\\right\s*\./gs,
      '\\begin{cases}$1\\end{cases}',
    );
}

/** Two letters of choices that are both right: `A and C`, `(A) & (C)`. Their order does not matter. */
function twoChoices(text: string): string | null {
  if (!/[A-J]/.test(text)) return null;
  const plain = text.replace(/\\text\{([^{}]*)\}/g, ' $1 ').trim();
  const found = /^(?:both\s+)?\(?([A-J])\)?\s*(?:and|\\?&)\s*\(?([A-J])\)?\.?$/.exec(plain);
  return found === null ? null : found.slice(1).toSorted().join(', ');
}

function delimiters(text: string): string {
  const environment = text.includes('\\begin');
  const single = environment
    ? text.replace(/\\{3,}(?=[a-zA-Z])/g, '\\\\\\')
    : text.replace(/\\\\+(?=[a-zA-Z({[)}\]$%])/g, '\\');
  return (
    single
      .replace(/\*\*|`/g, (mark) => (mark === '**' && /[\w)]\*\*[\w(]/.test(single) ? '^' : ''))
      .replace(/\\[()[\]]/g, (mark, at: number) => (single.charAt(at - 1) === '\\' ? mark : ' '))
      // One dollar sign in front of a number is money; two enclose a formula.
      .replace(/^(\s*(?:\\boxed\s*\{)?\s*-?\s*(?:US|A|C|HK|NT|S|AU|CA)?\s*)\$(?=\s*-?[\d.][^$]*$)/, '$1\\$')
      // So is one behind a number.
      .replace(/^([^$]*=)?(\s*-?\d[\d.,]*\s*)\$(?=\s*(?:\.?\s*$|\/|per\b)[^$]*$)/, '$1$2\\$')
      .replace(/(?<!\\)\$/g, ' ')
      .replace(/\\\\\[[\w.]+\]/g, '\\\\')
      .replace(/^\s*<([^<>=]*,[^<>=]*)>\s*$/, '\\langle $1\\rangle ')
      .replace(/\\left\s*</g, '\\langle ')
      .replace(/\\right\s*>/g, '\\rangle ')
      .replace(/\\(?:left|right|[bB]igg?[lr]?)\s*(?![a-zA-Z])\.?/g, '')
      .replace(/\\(?:left|right)(?=\\)/g, '')
  );
}

function unwrap(text: string): string {
  const box = /^\s*\\(?:boxed|fbox)\s*\{(.*)\}\s*$/s.exec(text);
  return box === null || !isBalanced(box[1] ?? '') ? text : (box[1] ?? '');
}

function spacing(text: string): string {
  return text
    .replace(/(\d)\s*(?:\{,\}|,\\!)\s*(?=\d{3}(?!\d))/g, '$1')
    .replace(/\\!/g, '')
    .replace(
      /\\(?:quad|qquad|thinspace|space|enspace|nobreakspace|phantom\{[^{}]*\}|hspace\*?\{[^{}]*\})(?![a-zA-Z])/g,
      ' ',
    )
    .replace(
      /\\(?:underline|mathbin|mathop)\s*(?=\{)|\\(?:text)?color\s*\{[^{}]*\}|\\(?:Large|large|huge|Huge|small|bf|it)(?![a-zA-Z])/g,
      ' ',
    )
    .replace(/\\rm(?![a-zA-Z{]|\s*\{)/g, ' ')
    .replace(/\bRs\.(?=\s*\d)/, 'Rs ')
    .replace(/\\mathbb\s*([A-Z])/g, '\\mathbb{$1}')
    .replace(/^\s*(?:(?:so |thus |hence )?(?:the )?(?:final )?answer(?: is|:)|=+)\s*:?/i, '')
    .replace(/^\s*(?:about|approximately|approx\.?|roughly|around|circa|ca\.?)\s+(?=[-\d$\\])/i, '\\approx ')
    .replace(/^(\s*|\s*[a-zA-Z]\s+)~(?=\s*-?\s*(?:\\\$)?[\d.\\])/, '$1\\approx ')
    .replace(/(?<!\\)\\[,;: ]|~/g, ' ')
    .replace(/(?<!\\)\\$/, '')
    .replace(/^\s*(?:minus|negative)\s+(?=[\d.\\$])/i, '-')
    .replace(/^\s*([A-Za-z][A-Za-z ]*): +(?=[-\d\\$(])([^:,;]*)$/, '$1=$2')
    .replace(/^\s*(\d+)\s*'\s*(\d+(?:\.\d+)?)\s*(?:"|'')\s*$/, '$1 ft $2 in')
    .replace(/^\s*0(?=\d:\d\d(?:$|:|\s))/, '')
    .replace(/^\s*(\d+) to (\d|\d{3,})\s*$/, '$1:$2')
    .replace(/\s+/g, ' ');
}

/** Makes all text commands `\text`, and takes single letters in roman type and numbers out of their text command. */
function texts(text: string): string {
  return text
    .replace(
      /\\(?:textbf|textit|textrm|textnormal|textsf|texttt|mbox|hbox|mathrm|rm|mathsf|mathit|operatorname\*?|emph)\s*\{/g,
      '\\text{',
    )
    .replace(/\\text\s*\{\s*([a-zA-Z])\s*\}(?!\s*\^)/g, (run, letter: string, at: number) =>
      at === 0 || 'eipd'.includes(letter) ? ` ${letter} ` : run,
    )
    .replace(/\\text\s*\{([^{}\p{L}\\]*)\}/gu, ' $1 ')
    .replace(/\\text\s*\{\s*(?=[-\d])([^{}]*)\}/g, ' $1 ')
    .replace(/\\text\s*\{\s*\^\{\\circ\}\s*([CFK]?)\s*\}/g, '^{\\circ}$1')
    .replace(/\\text\s+\{/g, '\\text{')
    .replace(
      /^\\mathbf\s*\{([^{}]*)\}$|\\mathbf\s*\{([^{}a-zA-Z][^{}]*)\}/g,
      (_, whole?: string, part?: string) => whole ?? part ?? '',
    )
    .trim();
}

function words(key: string, text: string): string {
  if (/^(?:all)?(?:real)numbers?$|^allreals?$/.test(key)) return '(-\\infty, \\infty)';
  if (key.length === 1) return text.replace(/^.*?([a-zA-Z])[^a-zA-Z]*$/s, '$1');
  const number = numberWord(key) ?? fractionWord(key) ?? ordinalWord(key);
  if (number !== null) return number;
  const listed = listedWords(text);
  if (listed !== text) return words(wordKey(listed) ?? key, listed);
  const alike =
    key === 'dne' ? 'doesnotexist' : key.replace(/^(?:thereis|thereare|has)?(no(?:real)?solution)s?$/, '$1');
  return `\\text{${alike}}`;
}

/** Writes the "and" between answers as a comma, and the "or" as a sign of its own. */
function separators(text: string): string {
  const sign = (word: string): string => (/or/i.test(word) ? ` ${OR} ` : ' , ');
  const listed = outsideText(text.replace(/\\text\{\s*[,;]?\s*(?:and|or)\s*\}/gi, sign), (part) =>
    part.replace(/(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])/g, sign),
  )
    .replace(
      /\\&|^([^&\\]*) & ([^&\\]*)$/g,
      (_, left?: string, right?: string) => `${left ?? ''} , ${right ?? ''}`,
    )
    .replace(/([)\]}])\s*U\s*(?=[([{\\])/g, '$1\\cup ')
    .replace(/,(?:\s*,)+/g, ',');
  if (!listed.includes(OR)) return listed;
  const items = listed.replace(/^\s*either\s+/i, '').split(OR);
  return items
    .map((item, at) => (at === items.length - 1 ? item : item.replace(/\s*,?\s*$/, '')).trimStart())
    .join(OR);
}

function operators(text: string): string {
  return outsideText(text, (part) =>
    sidesOfSize(part)
      .replace(/<=|=</g, '\\le ')
      .replace(/>=/g, '\\ge ')
      .replace(/!=|\\not\s*=/g, '\\ne ')
      .replace(/==/g, '=')
      .replace(/\+\/-/g, '\\pm ')
      .replace(/\*/g, '\\cdot '),
  );
}

/** Writes `3 by 4`, `3 cm x 4 cm` and `3x4` with the sign for "times". */
function sidesOfSize(text: string): string {
  if (!/(?:by|[xX]) ?\d/.test(text)) return text;
  return text
    .replace(/(?<=^|\d(?: ?[a-z]{1,6}\.?)?) ?\b(?:by|(?<=\s)[xX](?=\s)) ?(?=\d)/g, '\\times ')
    .replace(/^([1-9]\d*(?:\.\d+)?)[xX](?=\d+(?:\.\d+)?(?:$| ))/, '$1\\times ');
}

/** Removes blanks, except between two letters or digits, and after a command that a letter follows. */
function tightened(text: string): string {
  return text
    .split(/(\\text\{[^{}]*\})/)
    .map((part, index) =>
      index % 2 === 1
        ? part
        : part
            .replace(/\s+/g, ' ')
            .replace(/(\\[a-zA-Z]+) (?![a-zA-Z])/g, '$1')
            .replace(/ ?([^\w\s\\.]) ?/g, '$1')
            .replace(/([a-zA-Z\d]) (?=\\(?!frac|text))/g, '$1')
            .replace(/,(?=\S)/g, ', '),
    )
    .join('');
}

/**
 * Removes the separators of thousands. `1,234` and `1 234` are one number, but `1, 234` is two answers. Inside brackets a comma separates
 * items, except inside the braces of a command's arguments and where a group begins with 0.
 */
function thousands(text: string): string {
  const spaced = text.replace(
    /^(-?(?:\\\$ ?)?\d{1,3})((?: \d{3})+)(?![\d/\\])/,
    (_, first: string, rest: string) => first + rest.replaceAll(' ', ''),
  );
  if (!/[,']/.test(spaced)) return spaced;
  const groups =
    /(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)|(?<![\d.,'])\d{1,3}(?:'\d{3})+(?![\d'])|(?<![\d.,])\d{1,2}(?:,\d{2})+,\d{3}(?!\d|,\d)/g;
  return spaced
    .replace(groups, (group, at: number) =>
      (insideList(spaced, at) && !isOneItem(spaced, at, group)) ||
      (/,\d{2},/.test(group) && !isIndian(spaced.slice(0, at), group))
        ? group
        : group.replace(/[,']/g, ''),
    )
    .replace(/(?<![\d.:/-])(-?(?:[1-9]\d*|0)),(?=0\d+(?![\d:/-]))/g, `$1${UNCLEAR_COMMA}`);
}

/** The comma of `3,05`, `[0,000]` and `(1,000)` may belong to a number. The text equals neither the list 3, 5 nor a number. */
const UNCLEAR_COMMA = '\u0007';

/** Whether `1,00,000` is one number, as in India: a group that begins with 0 or a currency shows that it is no list. */
function isIndian(before: string, group: string): boolean {
  return /,0\d,/.test(group) || /(?:₹|\bRs\.?|\bINR)\s*\}?\s*$/i.test(before);
}

/**
 * Whether the commas of a group inside brackets stand in one of several numbers: `(1,000, 2)` has two coordinates, because no number begins
 * with `000`. In `(1,000)` they may stand in a number, or the brackets may be those of a pair.
 */
function isOneItem(text: string, at: number, group: string): boolean {
  if (!/^[1-9]\d*(?:,\d{3})+$/.test(group) || !group.includes(',0')) return false;
  return !/[([{]\s*-?$/.test(text.slice(0, at)) || !/^\s*\\?[)\]}]/.test(text.slice(at + group.length));
}

function insideList(text: string, end: number): boolean {
  const before = text
    .slice(0, end)
    .replace(/(?<=[a-zA-Z}^_\]])\{/g, '<')
    .replace(/\\[{}]/g, (brace) => (brace === '\\{' ? '(' : ')'));
  const opened = before.match(/[([{]/g)?.length ?? 0;
  const closed = before.match(/[)\]]/g)?.length ?? 0;
  return opened > closed;
}

function tidy(text: string): string {
  return text
    .replace(/(?<![\w}\]^\\])\{(\d+)\}/g, '$1')
    .replace(/(\d)\^\{(?:\\text\{\s*o\s*\}|o)\}/g, '$1^{\\circ}')
    .replace(/^(\\\{[^:|]*):/, '$1|')
    .replace(/(?<=[A-Z}\s])-(?=\\\{)/g, '\\setminus')
    .replace(/^\\mathbb\{R\}$/, '(-\\infty, \\infty)')
    .replace(/^\\\{\s*\\\}$/, '\\emptyset')
    .replace(/\^\{\{?\\circ\}?\}/g, '^{\\circ}')
    .replace(/(?<![\w)}\]|])\+(?=\\infty|\d)/g, '')
    .replace(/^\+/, '')
    .replace(/(?<![\d.}])\.(?=\d)/g, '0.')
    .replace(/(\d)\.(?![\d.]|\\overline)/g, '$1')
    .replace(/(?<=\d)\s?[xX×]\s?(?=10\^)/g, '\\times')
    .replace(/(?<=\d)\s*\.{3,}$/, '\\dots')
    .replace(/,\s*\.{3,}(?=$|[,)\]}\\])/g, ', \\dots')
    .replace(/[.,;:\s]+$/, '')
    .trim();
}
