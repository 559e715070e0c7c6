/** How the answer of a response is read, and when it is right: what the debate votes on (section 3.1 of the paper asks for `\boxed{answer}`). */
import type { AnswerEquality } from './consensus.ts';

/** What an answer to a task's questions is. Each task brings its own rules. */
export type AnswerRules = {
  /** The answer that a response gives; null when it gives none. */
  readonly extract: (response: string) => string | null;
  /** Whether two answers are the same one: the vote counts classes of equal answers. */
  readonly equal: AnswerEquality;
  /** Whether an answer is right. Only held-out questions are measured by it, and `label_source: gold`. */
  readonly correct: (answer: string, gold: string) => boolean | Promise<boolean>;
};

/** The rules of questions whose answers are short texts, as in the paper: an answer is right when it equals the gold answer. */
export function shortAnswers(equal: AnswerEquality): AnswerRules {
  return { extract: extractAnswer, equal, correct: (answer, gold) => equal(gold, answer) };
}

/**
 * The final answer of a response, trimmed, or null when it gives none. Looked for in this order: the last complete,
 * non-empty `\boxed{…}` (or `\fbox{…}`, `\boxed 7`), the last `<answer>…</answer>`, the last GSM8K line `#### 72`, the last "the answer is …".
 * What follows the last `</think>` goes before what precedes it. Time is linear in the length of the response.
 */
export function extractAnswer(response: string): string | null {
  const thought = response.lastIndexOf('</think>');
  const spoken = thought < 0 ? null : answerIn(response.slice(thought + '</think>'.length));
  return spoken ?? answerIn(response);
}

function answerIn(text: string): string | null {
  return lastBox(text) ?? lastTag(text) ?? lastHashLine(text) ?? lastAnswerPhrase(text);
}

const BOX = /\\(?:boxed|fbox)(?![a-zA-Z])\s*/y;

/** One pass with a stack of open braces, so that a megabyte of unclosed boxes costs no more than any other text. */
function lastBox(text: string): string | null {
  const open: number[] = [];
  let best = -1;
  let answer: string | null = null;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') {
      const content = afterBoxCommand(text, at);
      if (content === null) {
        at += text.startsWith('boxed', at + 2) || text.startsWith('fbox', at + 2) ? 0 : 1;
      } else if (text[content] === '{') {
        open.push(content + 1);
        at = content;
      } else {
        const bare = bareBox(text, content);
        if (!isEmptyBox(bare)) [best, answer] = [content, bare];
        at = content - 1;
      }
    } else if (char === '{') {
      open.push(-1);
    } else if (char === '}') {
      const start = open.pop() ?? -1;
      if (start <= best) continue;
      const content = text.slice(start, at).trim();
      if (!isEmptyBox(content)) [best, answer] = [start, content];
    }
  }
  return answer;
}

/** Nothing but blanks, braces and further boxes, as in `\\boxed{\\boxed{}}`. */
function isEmptyBox(content: string): boolean {
  return content.length < 200 && /^(?:\\(?:boxed|fbox)|[\s{}])*$/.test(content);
}

function afterBoxCommand(text: string, at: number): number | null {
  BOX.lastIndex = at;
  return BOX.test(text) ? BOX.lastIndex : null;
}

/** `\boxed 7` without braces: up to the next blank or dollar sign that is not inside braces. */
function bareBox(text: string, start: number): string {
  const longest = 200;
  let depth = 0;
  let end = start;
  for (; end < text.length && end - start < longest; end++) {
    const char = text.charAt(end);
    if (char === '{') depth++;
    if (char === '}' && --depth < 0) break;
    if (char === '$' || (depth === 0 && /\s/.test(char))) break;
  }
  return text.slice(start, end).replace(/(?:\\[)\]]|[.,;:])+$/, '');
}

function lastTag(text: string): string | null {
  const close = text.lastIndexOf('</answer>');
  const open = close < 0 ? -1 : text.lastIndexOf('<answer>', close);
  return open < 0 ? null : clean(text.slice(open + '<answer>'.length, close).slice(0, 500));
}

/** A conclusion without a box stands at the end; looking no further back keeps the time for hostile text small. */
const TAIL = 20_000;

function lastHashLine(text: string): string | null {
  const lines = text.slice(-TAIL).matchAll(/####[^\n]{0,300}/g);
  let answer: string | null = null;
  for (const line of lines) answer = hashAnswer(line[0]) ?? answer;
  return answer;
}

/** A Markdown heading (`#### Step 1`, `#### 1. Setup`) is no answer; a number, a formula or yes/no is. */
function hashAnswer(line: string): string | null {
  const rest = line.replace(/^#+\s*:?\s*/, '').trim();
  if (/^\d+[.):]\s+\S/.test(rest)) return null;
  if (!/^(?:[-+−$€£\\([{.\d]|(?:yes|no|true|false|[A-Ja-z])\W*$)/i.test(rest)) return null;
  return clean(rest);
}

const PHRASE =
  /\banswer(?:\s{1,4}(?:to|of|for)\s[^.\n:]{0,80}?)?[*_\s]{0,4}(?:(?:\bis\b|\bwould be\b|\bmust be\b|\bshould be\b|=|:|\uff1a)[*_]{0,3}\s{0,4}:?|\n)[*_]{0,3}\s{0,4}/gi;

function lastAnswerPhrase(text: string): string | null {
  let answer: string | null = null;
  const tail = text.slice(-TAIL);
  for (const match of tail.matchAll(PHRASE)) {
    const start = match.index + match[0].length;
    answer = phraseAnswer(tail.slice(start, start + 300)) ?? answer;
  }
  return answer;
}

const FILLER =
  /^(?:therefore|thus|hence|simply|just|then|clearly|obviously|indeed|given by|equal to|exactly|option|choice|is|be)\b[\s,:]*/i;
const NO_ANSWER = /^(?:not\b|unknown|unclear|undetermined|that\b|as follows|below|above|found|obtained)/i;

function phraseAnswer(following: string): string | null {
  let line = following.split('\n', 1)[0] ?? '';
  while (FILLER.test(line)) line = line.replace(FILLER, '');
  const sentence = /^(?:[^.]|\.(?=\S)(?!\*|\$$|["')]))*/.exec(line)?.[0] ?? line;
  const clause = sentence.replace(/,\s+(?!and\b|or\b)[a-z]{3,}.*$|\s+(?:because|since|which)\b.*$/, '');
  const stated = /[\d$\\]/.test(clause)
    ? clause.replace(/^[^$\\\d]*[a-z$]\s+(?:is|are|equals)\s+|^.*\$\s+(?:is|are|equals)\s+/i, '')
    : clause;
  const answer = clean(stated);
  if (answer === null || NO_ANSWER.test(answer)) return null;
  const words = answer.split(/\s+/).length;
  return words > 8 && !/[\d\\]/.test(answer) ? null : answer;
}

/** Without Markdown stars, the dollar signs of mathematics and of money, closing punctuation and thousands commas. */
function clean(raw: string): string | null {
  let text = raw.replace(/\*\*|`/g, '').trim();
  for (let before = ''; before !== text;) {
    before = text;
    text = text
      .replace(/[.,;:!]+$/, '')
      .replace(/^["'“”]+|["'“”]+$/g, '')
      .trim();
    const math = /^(?:\$\$?([^$]+)\$\$?|\\\((.+)\\\)|\\\[(.+)\\\])$/.exec(text);
    text = (math?.[1] ?? math?.[2] ?? math?.[3] ?? text).trim();
    text = text.replace(/^\\?\$(?=[\d.,]+$)/, '');
  }
  if (/^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(text)) text = text.replaceAll(',', '');
  return /[\p{L}\p{N}\\∞∅]/u.test(text) ? text : null;
}
