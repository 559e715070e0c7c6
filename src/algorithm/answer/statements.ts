/** The answers that sentences, tags and GSM8K's last lines state. */
import { isPlaceholder } from './no-answer.ts';
import { clean, LONGEST_STATEMENT, shortValue, valueAt, withoutComputation } from './value.ts';

/** An answer and the place of the statement in its text. */
export type Statement = { readonly answer: string; readonly at: number };

/** The text in the last `<answer>…</answer>`, also when the end of the text, or a stop text, cut the closing tag off. */
export function lastTag(text: string): Statement | null {
  const open = [...text.slice(-TAIL).matchAll(/<(?:(?:final_?)?answer|\|begin_of_box\|)>/gi)].at(-1);
  if (open === undefined) return null;
  const at = Math.max(0, text.length - TAIL) + open.index;
  const rest = text.slice(at + open[0].length, at + open[0].length + 2000);
  const content = rest.split(/<\/(?:final_?)?answer>|<\|end_of_box\|>/i, 1)[0] ?? '';
  if (isPlaceholder(content)) return null;
  const answer = content.length === rest.length ? shortValue(content, true) : content.trim();
  return answer === null || answer === '' ? null : { answer, at };
}

/** A conclusion stands at the end; looking no further back keeps the time for hostile text small. */
const TAIL = 20_000;

/** The last line of the kind that ends GSM8K's solutions: `#### 72`. */
export function lastHashLine(text: string): Statement | null {
  const start = Math.max(0, text.length - TAIL);
  const end = text.trimEnd().length;
  let last: Statement | null = null;
  for (const line of text.slice(start).matchAll(/####[^\n]{0,300}/g)) {
    const isLast = start + line.index + line[0].length >= end;
    const answer = hashAnswer(line[0], isLast);
    if (answer !== null) last = { answer, at: start + line.index };
  }
  return last;
}

/** A Markdown heading (`#### Step 1`, `#### 1. Setup`) is no answer; a number, a formula or yes/no is. */
function hashAnswer(line: string, isLast: boolean): string | null {
  const rest = line
    .replace(/^#+\s*:?\s*/, '')
    .replace(/\*\*|__|`|^\*|\*$/g, '')
    .trim();
  if (/^\d+[.):]\s+\S/.test(rest) || (!isLast && /^\d+\s+[A-Z][a-z]+\s+\S/.test(rest))) return null;
  if (!/^(?:[-+−$€£\\([{.\d]|(?:yes|no|true|false|[A-J])\W*$)/i.test(rest)) return null;
  const factorial = /\d!$/.test(rest) ? '!' : '';
  const answer = clean(withoutComputation(rest));
  return answer === null || isPlaceholder(answer) ? null : `${answer}${factorial}`;
}

/** Nouns, and the verbs that follow them, which state an answer in the languages that models answer in. */
const NOUN = [
  'answers?(?:\\s(?:choice|option))?|ans\\.?|(?:correct|right|best|final|proper)\\s(?:option|choice|result|solution|value|letter|statement|alternative)',
  '(?:Antwort|Lösung|Endergebnis|Ergebnis|Resultat|richtige Option|richtige Aussage)',
  "(?:réponse|solution(?=\\s(?:est|serait|sera|finale|correcte|exacte)(?!\\p{L}))|résultat|(?:bonne |l[’'])option)(?:\\s(?:finale|final|correcte|exacte))?",
  '(?:respuesta|solución|resultado|opción|alternativa)(?:\\s(?:final|correcta|correcto))?',
  '(?:risposta|soluzione|risultato|resposta|solução)(?:\\s(?:finale|final|corretta|correta))?',
  'ответ|antwoord',
].join('|');
const VERB = [
  'is|are|was|(?:would|must|should|will|has to)(?:\\s(?:then|therefore|thus|also))? be|can be (?:written|expressed|given) as|seems to be|appears to be|turns out to be|comes (?:out )?to(?: be)?|works out to(?: be)?|equals|becomes|remains',
  'ist|lautet|beträgt|wäre|est|serait|sera|es|sería|será|è|é',
].join('|');
const LINK = `(?:,?\\s(?:then|therefore|thus|hence|clearly|indeed|donc|daher|also|somit),?)?["'*_}\\s]{0,4}(?:(?<=[\\s*_}"'])(?:${VERB})(?![\\p{L}\\d_])|=>|=|:|：|→)`;
const ABOUT = [
  '(?:\\s{1,4}(?:to|of|for|among|from|here|auf|der|des|zur?|zum|à|au|de|du|a|al|del|della|do|da)(?:\\s(?:"[^"\\n]{0,200}"|“[^”\\n]{0,200}”|[^.\\n:"“]){0,80}?)?',
  "|\\s{1,4}(?:that\\s)?(?:I|we|you)(?:['’]re)?\\s[^.\\n:,]{0,40}?)?",
  '(?:\\s{0,2}\\([^()\\n]{0,40}\\))?',
].join('');
const INVERTED =
  '(?:ist|lautet|beträgt|wäre)\\s(?:damit\\s|somit\\s|also\\s)?(?:die|das)\\s(?:richtige\\s|korrekte\\s|endgültige\\s)?(?:Antwort|Lösung|Ergebnis|Endergebnis)(?:\\s(?:daher|also|somit))?(?!\\p{L})';
const CJK =
  '(?:答案|正确选项|正确的选项|正確選項|最终结果|结果)[*_]{0,3}(?:应该|应当|应)?(?:是|为|為|选|選|等于|[:：=])|(?:故|应|應|因此|所以|答案)(?:选择|选|選)|(?:答え|正解|解答)(?:は|[:：])|(?:정답|답)(?:은|는|[:：])|(?<=^|\\n)答[:：]|【(?:正确)?答案】';
const LEAD = new RegExp(
  `(?<![\\p{L}\\d]|[\\p{L}\\d]_)(?:(?:${NOUN})${ABOUT}(?:${LINK}|[*_ \\t]{0,4}\\n)|${INVERTED})|${CJK}`,
  'giu',
);

/** Words before "the answer is" which show that another answer is meant. */
const NOT_OURS =
  /(?<![\p{L}])(?:if|whether|suppose|supposing|assume|assuming|unless|wrong|incorrect|previous|other|another|others['’]|agent(?:\s?\d+)?['’]s|agent \d+|not|cannot|mistaken|\p{L}+n['’]t|doubt|some|common|says?|said|claims?|claimed|suggests?|suggested|argues?|argued|tempting|naive)(?![\p{L}])/iu;

/** The last sentence about an answer that gives one: "the answer is 42", "Answer: B", "(C) is correct". */
export function lastSentence(text: string): Statement | null {
  const start = Math.max(0, text.length - TAIL);
  const tail = text.slice(start);
  let last: Statement | null = null;
  for (const lead of tail.matchAll(LEAD)) {
    const before = tail.slice(Math.max(0, lead.index - 80), lead.index);
    if (NOT_OURS.test(before.split(/[.\n;:!?]|,(?=\s)|\bbut\b/).at(-1) ?? '')) continue;
    if (
      /would be$|wäre$|serait$|sería$/.test(lead[0]) &&
      /(?<!\p{L})(?:if|had|wenn|si)(?!\p{L})/iu.test(before.split(/[.\n]/).at(-1) ?? '')
    )
      continue;
    const from = lead.index + lead[0].length;
    const answer = valueAt(tail.slice(from, from + LONGEST_STATEMENT));
    // A box counts by itself, unless the text denies it.
    if (answer !== null && !/\\f?box(?:ed)?(?![a-z])/.test(answer)) last = { answer, at: start + lead.index };
  }
  for (const { answer, at } of reversed(tail)) {
    if (last === null || start + at > last.at) last = { answer, at: start + at };
  }
  return last;
}

/** `42 is the answer`, `(C) is correct`, `Option B is the right choice`. */
function* reversed(tail: string): Generator<Statement> {
  const pattern =
    /(?<![\p{L}\d\\])(?:(?:option|choice|选项)\s?)?[*_$`]{0,3}(\(?[A-J]\)?|\$?-?\d[\d.,]{0,20})[*_$`]{0,3}\s?(?:is\s(?:therefore\s|thus\s|then\s)?(?:(?:the|our|my)\s(?:final\s|correct\s|right\s|best\s)?(?:answer|option|choice)|correct|right)(?=[\s.,!*]|$)|(?:是|为)(?:正确|对)的)/giu;
  for (const match of tail.matchAll(pattern)) {
    const before = tail.slice(Math.max(0, match.index - 40), match.index);
    const value = match[1] ?? '';
    if (NOT_OURS.test(before.split(/[.\n;:!?,]/).at(-1) ?? '') || /^[a-j]$/.test(value)) continue;
    if (/^\s*(?:but|yet)?\s*(?:not)?\s*\?/.test(tail.slice(match.index + match[0].length))) continue;
    const answer = clean(value);
    if (answer !== null) yield { answer, at: match.index };
  }
}

/** The answer behind `A:` in the last line, as the solutions that GSM8K's authors published have it. */
export function lastLabel(text: string): string | null {
  const line = lineAtEnd(text);
  return line.startsWith('A:') ? valueAt(line.slice(2)) : null;
}

/** What only the last line states, in words that stand elsewhere too: `Result: 18`, "the total is 18", `选 B`. */
export function lastLine(text: string): string | null {
  const line = lineAtEnd(text);
  const lead = LAST_LINE.exec(line);
  return lead === null ? null : valueAt(line.slice(lead[0].length));
}

const LAST_LINE = new RegExp(
  '^(?:' +
    [
      '(?:so|thus|therefore|hence)?,?\\s*(?=(?:option|choice)\\s+\\(?[A-J]\\)?[.\\s]*$)',
      '[*_]{0,2}(?:Result|Final result|Total|Final)[*_]{0,2}\\s?[:=]',
      '.{0,200}?(?<!\\p{L})(?:result|solution|total)\\s(?:is|equals|=|:)',
      '(?:I|we)\\s(?:choose|pick|select)\\s',
      '(?:故|应)?(?:选择|选|選)[:：]?',
    ].join('|') +
    ')[*_]{0,2}\\s*',
  'iu',
);

function lineAtEnd(text: string): string {
  return text.slice(-1000).trimEnd().split('\n').at(-1)?.trim() ?? '';
}

/** A response that is nothing but a number or the letter of a choice. */
export function bareAnswer(text: string): string | null {
  const answer = text.length > 80 || /^\s*\d[.)]\s*$/.test(text) ? null : clean(text);
  return answer !== null && /^(?:-?\$?\d[\d,]*(?:\.\d+)?%?|-?\d+\/\d+|\(?[A-J]\)?)$/.test(answer)
    ? answer
    : null;
}

/**
 * A response without the text that it was asked, where it begins by repeating that: a question or a prompt may hold what reads like an answer.
 *
 * @param asked the question and the prompts; short ones are left, as `2+2` may be an answer as well
 */
export function withoutEcho(response: string, asked: readonly string[]): string {
  let left = response;
  for (const text of asked.map((each) => each.trim()).toSorted((a, b) => b.length - a.length)) {
    if (!/^\S+(?:\s+\S+){3}/.test(text) || text.length < 20) continue;
    const at = left.slice(0, text.length + LONGEST_BEFORE_ECHO).indexOf(text);
    if (at >= 0) left = `${left.slice(0, at)} ${left.slice(at + text.length)}`;
  }
  return left;
}

/** Such as `Question:` in front of the question that is repeated. Looking no further keeps the time linear. */
const LONGEST_BEFORE_ECHO = 100;

/** The tags between which models think, as they are left in the text of a response. A channel of gpt-oss is one. */
const THOUGHT =
  /<(\/?)(?:think|thinking|thoughts?|reasoning|scratchpad|reflection|seed:think)>|[[◁](\/?)think[\]▷]|<\|(?:end_of_thought|begin_of_solution)\|>|<\|channel\|>(?:final|(analysis))<\|message\|>|(?<=[.!?\s])assistantfinal/gi;

/** The text of a response outside its thinking. Thinking that no tag opens begins with the response, and one that no tag closes ends with it. */
export function spokenPart(response: string): string {
  let spoken = '';
  let from = 0;
  let thinking = false;
  for (const tag of response.matchAll(THOUGHT)) {
    const [whole, slash, otherSlash, analysis] = tag;
    const opens = analysis !== undefined || slash === '' || otherSlash === '';
    if (opens && !thinking) spoken += response.slice(from, tag.index);
    if (!opens && !thinking) spoken = '';
    thinking = opens;
    from = tag.index + whole.length;
  }
  return thinking ? spoken : spoken + response.slice(from);
}

/** The whole text of a response, with its thinking, but without the tags around that. */
export function withoutTags(response: string): string {
  return response.replace(THOUGHT, '\n');
}

/** A response with such a sentence gives no answer, even when its thinking has one. */
export function isRefusal(spoken: string): boolean {
  return spoken.length < 2000 && REFUSAL.test(spoken);
}

const REFUSAL =
  /\b(?:(?:I|we)(?:\s+(?:still|really))?\s+(?:do\s+not|don['’]t|cannot|can['’]t|could\s+not|couldn['’]t)\s+(?:know|determine|say|solve|find|answer|help|tell)|(?:I\s+am|I['’]m)\s+(?:not\s+(?:sure|certain|able)|unable|sorry)|(?:it\s+)?(?:is\s+impossible|cannot\s+be\s+determined))/i;

/** Where another turn of a chat, or a further question that the model makes up, begins. */
const NEXT_TURN =
  /<\|(?:im_end|endoftext|eot_id|end|end_of_text|im_start)\|>|<end_of_turn>|<\/s>|\[\/?INST\]|\n[ \t]*(?:#{1,4} ?)?\*{0,2}(?:(?:q|question|problem|exercise|human|user|instruction|input)(?: ?#?\d{1,3})?\*{0,2}:|(?:question|problem|exercise) \d{1,3}\.|(?:问题|题目)\d{0,3}[:：])/gi;

/** The turns of a text, in order. Nearly always it is one. What comes behind many is not divided further, so that the time stays small. */
export function* turnsOf(text: string): Generator<string> {
  let from = 0;
  for (let turns = 1; turns < 20; turns++) {
    NEXT_TURN.lastIndex = from;
    const next = NEXT_TURN.exec(text);
    if (next === null) break;
    yield text.slice(from, next.index);
    from = NEXT_TURN.lastIndex;
  }
  yield text.slice(from);
}
