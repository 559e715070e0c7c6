/** When are two answers to a multiple choice question equal? */
import { compare } from './compare.ts';
import { allOf, anyOf, type Equality } from './equality.ts';

/** A choice of a multiple choice question, with its letter and its text: `(B) Paris`, `B. Paris`, `\textbf{(B)}\ 12`. */
type Choice = { readonly letter: string; readonly text: string };

/** Whether an answer names a choice by letter and text. A letter alone is an answer like any other. */
export function isChoice(answer: string): boolean {
  return parseChoice(answer) !== null;
}

/**
 * Like `compare`, when at least one of the two is a choice. A choice and a letter are compared by letter, so that `(C) A` is not the answer
 * `A`; a choice and another answer by text; two choices by letter and text. Symmetric.
 */
export function compareChoices(a: string, b: string): Equality {
  const [left, right] = [parseChoice(a), parseChoice(b)];
  if (left === null && right === null) return compare(a, b);
  if (left !== null && right !== null) {
    const same = allOf([left.letter === right.letter, compare(left.text, right.text)]);
    // `E. coli` looks like a choice, and may be the text of a choice.
    return anyOf([compare(a, b), same, compare(a, right.text), compare(left.text, b)]);
  }
  const [choice, other] = left === null ? [right, a] : [left, b];
  const letter = letterAlone(other);
  if (choice === null) return false;
  // "A cat" may be the choice A.
  if (/^A\s/.test(other) && choice.letter !== 'A') return choice.text.trim() === other.trim();
  return letter === null ? anyOf([compare(choice.text, other), compare(a, b)]) : letter === choice.letter;
}

const COMMAND = String.raw`\\(?:text|textbf|textrm|textit|mathbf|mathrm|mbox)\s*\{`;
/**
 * A letter that is a label: in brackets, before a bracket, before a full stop or a colon that a blank follows, or before a dash and words.
 */
const LABEL = String.raw`(?:(?:[Oo]ption|[Cc]hoice)\s+)?(?:\(([A-J])\)|\[([A-J])\]|([A-J])(?:\)|[.:](?=\s)|\s+[-–—](?=\s+[A-Za-z][a-z]{2})))`;
const LABELLED = new RegExp(String.raw`^(?:${COMMAND}\s*${LABEL}\s*\}|${LABEL})\s+(\S.*)$`, 's');
const LABELLED_IN_TEXT = new RegExp(String.raw`^(${COMMAND})\s*${LABEL}\s+(\S[^{}]*\})$`, 's');
/** An operator after a letter shows that the letter belongs to a formula and is not a label: `(A) \cup (B)`. */
const OPERATOR =
  /^(?:[+*/=^_<>|&,;:.!]|-(?=\s)|\\(?:cup|cap|cdot|times|to|le|ge|ne|in|sub|sup|wedge|vee|pm)\b)/;
/** A second label shows that the answer is a list of parts and not a choice. */
const ANOTHER = /(?:^|[\s,;{])(?:\([A-J]\)|[A-J]\))/;

function parseChoice(answer: string): Choice | null {
  const beginning = answer.slice(0, 40).replace(/[*`]/g, '');
  if (!/[A-J](?:[).:\]]|\s+[-–—])/.test(beginning)) return null;
  const plain = withoutMarks(answer);
  const inside = LABELLED_IN_TEXT.exec(plain);
  const found = inside === null ? LABELLED.exec(plain) : null;
  const letter = (inside?.slice(2, 5) ?? found?.slice(1, 7))?.find((part) => part !== undefined);
  const text = inside === null ? found?.[7] : `${inside[1]}${inside[5]}`;
  if (letter === undefined || text === undefined || OPERATOR.test(text) || ANOTHER.test(text)) return null;
  return { letter, text };
}

const ALONE = new RegExp(
  String.raw`^(?:(?:the\s+)?(?:correct\s+|right\s+|final\s+)?(?:option|choice|answer)(?:\s+is|:)?\s+)?(?:${COMMAND}\s*)?[([{<]?([A-Ja-j])[)\]}>]?[.:]?\s*\}?[.:]?$`,
  'i',
);

function letterAlone(answer: string): string | null {
  return ALONE.exec(withoutMarks(answer))?.[1]?.toUpperCase() ?? null;
}

/** The answer without a box, Markdown, dollar signs and TeX's blanks. */
function withoutMarks(answer: string): string {
  return answer
    .replace(/\*\*|`|(?<!\\)\$/g, '')
    .replace(/\\(?:[ ,;:]|quad\b)|~/g, ' ')
    .trim()
    .replace(/^\\(?:boxed|fbox)\s*\{(.*)\}$/s, '$1')
    .trim();
}
