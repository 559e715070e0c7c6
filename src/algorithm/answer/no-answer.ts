/**
 * Which texts stand where an answer may stand, and are none? Placeholders, which models copy from prompts: `\boxed{answer}`, `[number]`,
 * `...`. And values that the words around them deny: `not \boxed{4}`, `\boxed{4} is wrong`.
 */

/** Words that name an answer without giving it. */
const NAMES = new Set(
  (
    'answer answers ans solution result results value number integer letter choice option expression response content text ' +
    'antwort lösung ergebnis réponse solution résultat respuesta solución resultado risposta resposta ответ 答案 最终答案 你的答案 正确答案 数字 结果 選項 选项'
  ).split(' '),
);
/** Words beside such a name that give nothing either. */
const BESIDE = new Set(
  (
    'a an the your my our this that final correct numerical numeric actual exact single simplified boxed computed calculated insert enter put ' +
    'write place fill type goes here in is only with of as ur to be ihre deine endgültige votre ta finale su tu final la le die das el'
  ).split(' '),
);

/** Commands that show nothing: blanks of a form, and white space. */
const INVISIBLE =
  /\\(?:phantom|hspace\*?|vspace\*?|hphantom|vphantom)\s*\{[^{}]*\}|\\(?:quad|qquad|square|Box|ldots|dots|cdots|dotsc|vdots|ddots|cdot|bullet|star|underline|boxed|fbox|displaystyle)(?![a-zA-Z])|\\(?:[,;:! _%$#&-]|$)/g;

/** Whether a text that stands for an answer gives none. Linear; a text of more than 200 characters is none. */
export function isPlaceholder(text: string): boolean {
  if (text.length > 200) return false;
  const shown = text
    .replace(INVISIBLE, ' ')
    .replace(
      /\\(?:text(?:bf|it|rm|normal|tt|sf)?|math(?:bf|rm|it|sf)|mbox|emph|operatorname)(?![a-zA-Z])/g,
      ' ',
    );
  // Signs that are answers, such as those of a comparison and of the empty set, are no punctuation.
  if (/^[\p{P}\s<>$`~^|−□■▢◻☐]*$/u.test(shown) && !/\\\{\s*\\\}/.test(shown)) {
    return !/[<>]/.test(shown) || /[.…?_]|<\s*>/.test(shown);
  }
  const words = shown
    .toLowerCase()
    .replace(/[\s{}()[\]<>$*`"'’“”.…:?!_#/\\-]+/g, ' ')
    .trim()
    .split(' ');
  if (
    /^(?:x{3,}|n a|tb[ad]|todo|idk|no (?:final )?answer|not available|i (?:do not|don ?t) know)$/.test(
      words.join(' '),
    )
  )
    return true;
  return words.some((word) => NAMES.has(word)) && words.every((word) => NAMES.has(word) || BESIDE.has(word));
}

/** Whether the words around a value, which has the place `from` to `end` in a text, say that it is not the answer. */
export function isDenied(text: string, from: number, end: number, value: string): boolean {
  const raw = text.slice(Math.max(0, from - LONGEST_BEFORE), from);
  const before = raw.replace(MARKS_BEFORE, '');
  if ((DENIAL.test(before) && !RETRACTION.test(raw)) || DENIED_CLAIM.test(before)) return true;
  if (isRejected(raw, before) || isStruckOut(raw, before, text.slice(end, end + 10))) return true;
  const behind = text.slice(end, end + LONGEST_BEHIND).replace(MARKS_BEHIND, '');
  if (DENIED_BEHIND.test(behind) || TAKEN_BACK.test(behind)) return true;
  return !/^\W*[A-J]\W*$/.test(value) && (CALLED_WRONG.test(behind) || CALLED_WRONG_NEXT.test(behind));
}

const LONGEST_BEFORE = 100;
const LONGEST_BEHIND = 60;

/** Between a word and a value: dollar signs, Markdown, brackets, a text command, the name in `x = 4`. */
const MARKS_BEFORE = /(?:\\text\s*\{|\\[([]|(?<![a-zA-Z\\])[a-zA-Z]\s*=|[\s$*_`"'“„«:({[])+$/;
const MARKS_BEHIND = /^(?:\\[)\]]|[\s$*_`"'”»)}\],])+/;

const NOT = "not|never|cannot|\\p{L}+n['’]t";
const ANSWER = [
  '(?:(?:the|an?|our|my|your)\\s+)?(?:(?:final|correct|right|valid|true|possible)\\s+)?',
  '(?:answer|solution|option|choice|possible|valid|acceptable|allowed)(?!\\p{L})',
].join('');

/** Directly before a value: `is not`, `neither`, `rather than`. */
const DENIAL = new RegExp(
  [
    `(?<!\\p{L})(?:${NOT}|neither|nor|rather than|instead of|as opposed to|anything but|by no means|far from|other than|unlikely|hardly`,
    '|nicht|niemals|kein|statt|anstatt|pas|jamais|au lieu de|plutôt que|no (?:es|son|puede)|nunca|en lugar de|en vez de',
    '|non è|non può|invece di|não é|não pode|не|niet|geen)',
    '(?:\\s+(?:be|been|equal|equals|to|quite|really|actually|exactly|even|the|an?|our|my|final|correct|right|answer|value|result',
    '|option|choice|gleich|die|être|égale?|à|la|ser|равен|равно))*$',
    '|(?:不|并非|而非|不可能|不会|不能)(?:是|等于|为)?$',
    '|(?:\\\\neq?|\\\\not\\s*=|≠|!=)$',
  ].join(''),
  'iu',
);

/** Words that reject the value before them: `\boxed{8}. Wait, that is not right: \boxed{7}`. */
const RETRACTION =
  /(?:\b(?:that|it|which)|boxed.*\bthis)(?:\s+(?:is|was)(?:\s+not|n['’]t)|['’]s\s+not)\s+(?:quite\s+)?(?:right|correct|true|it)\s*:\s*\W*$/is;

/** Words that reject the value directly after them: `we reject`, `excluding the root`. */
const REJECTION = new RegExp(
  [
    '(?<!\\p{L})(?:(?:reject|discard|exclud|eliminat|dismiss|disregard|ignor|omit+|rul)(?:e|es|s|ed|ing)?(?:\\s+out)?',
    '(?:\\s+(?:the|an?|our|its|negative|extraneous|other|answer|value|result|solution|root|case|option|choice))*',
    '|(?:wrong|incorrect|invalid|extraneous|spurious)\\s+(?:answer|value|result|solution|root|choice|option))$',
  ].join(''),
  'iu',
);

/** Words at the beginning of a sentence that reject its value: `Incorrect:`. */
const LABELLED_WRONG =
  /(?:^|[\n.;(|]\s*)[*_]*(?:wrong|incorrect|invalid|extraneous|rejected|discarded)(?:\s+(?:is|are|as))?$/iu;

/** Whether the words directly before a value reject it. In `we ignore the negative root: \boxed{3}` the colon ends what is rejected. */
function isRejected(raw: string, before: string): boolean {
  return LABELLED_WRONG.test(before) || (REJECTION.test(before) && !/:[\s$*]*$/.test(raw));
}

/** Whether a value is crossed out: `\cancel{…}`, `~~…~~`, `<del>…`. */
function isStruckOut(raw: string, before: string, behind: string): boolean {
  return (
    /\\(?:[xb]?cancel|sout|st)$|<(?:s|del|strike)>$/i.test(before) ||
    (/~~[\s$]*$/.test(raw) && /^[\s$]*~~/.test(behind))
  );
}

/** Before "the answer is" and a value: `I do not think that`, `it is false that`. */
const DENIED_CLAIM = new RegExp(
  [
    `(?<!\\p{L})(?:(?:${NOT})\\s+(?:really\\s+)?(?:think|believe|say|claim|agree|accept|argue|conclude|mean`,
    '|(?:true|right|correct|possible|likely|the case)(?=\\s+that))|doubt|deny|refuse',
    '|(?:doubtful|wrong|false|incorrect|untrue|unlikely|mistaken|impossible)(?:\\s+that|\\s+to\\s+(?:say|think|claim|conclude|answer|write)))',
    '(?:\\s+(?:that|the|our|my|final|correct|right|answer|value|result|solution|it|this|is|be|was|equals|would|should|could|can|must))*$',
  ].join(''),
  'iu',
);

/** Behind a value: `is not the answer`, `cannot be the solution`, `is too small`, `does not work`. */
const DENIED_BEHIND = new RegExp(
  [
    `^(?:(?:is|was|are|would be|seems)(?:\\s+not|n['’]t|\\s+never|\\s+by no means)\\s+${ANSWER}`,
    `|(?:can|could|must|should|would)(?:\\s*not|n?['’]t|\\s+never)\\s+be\\s+(?:${ANSWER}|correct|right|true)`,
    '|(?:is|was)\\s+too\\s+(?:small|large|big|low|high|few|many)',
    '|(?:is|was|gets|(?:must|should|can|has to)\\s+be)\\s+(?:(?:therefore|thus|hence|then|also|clearly|an?)\\s+)?',
    '(?:ruled out|excluded|rejected|discarded|eliminated|dismissed|ignored|extraneous|spurious|inadmissible|impossible)',
    "|fails|(?:does|do)(?:\\s+not|n['’]t)\\s+(?:work|fit|satisfy|hold|solve|meet|qualify|count|check out)",
    "|ist\\s+nicht\\s+die\\s+(?:Antwort|Lösung)|n['’]est\\s+pas\\s+la\\s+(?:bonne\\s+)?(?:réponse|solution)",
    '|no\\s+es\\s+la\\s+(?:respuesta|solución)|不是(?:正确)?(?:答案|选项)',
    '|では(?:ない|ありません)|(?:[가이은는]\\s*)?(?:정답이\\s*)?아(?:니|닙))',
  ].join(''),
  'iu',
);

/** Whether the words before a value give it as another's: `Agent 1 said`, `the other agent's answer was`, `a common mistake gives`. */
export function isAnothers(text: string, from: number): boolean {
  return ANOTHERS.test(text.slice(Math.max(0, from - LONGEST_BEFORE), from).replace(MARKS_BEFORE, ''));
}

const ANOTHERS = new RegExp(
  [
    '(?<!\\p{L})(?:agents?\\s*\\d+\\s+(?:also\\s+)?(?:said|says|answered|gave|gives|got|had|claims|claimed|wrote|proposed|suggested|concluded|stated)',
    "(?:\\s+(?:that|the|answer|is|was|it))*|(?:agents?(?:\\s*\\d+)?['’]s?\\s+(?:final\\s+)?(?:answer|solution|result)\\s*(?:is|was)?)",
    '|(?:my|our)\\s+(?:previous|earlier|initial|first|original)\\s+(?:answer|result|solution|guess)\\s+(?:was|of)',
    '|(?:common|typical|tempting|frequent)\\s+(?:mistake|error|wrong answer|answer)\\s+(?:gives|would be|leads to|is(?:\\s+to\\s+(?:answer|say|write))?))$',
  ].join(''),
  'iu',
);

/** Behind a value. Behind the letter of a choice it may be what was asked: "statement (B) is false". */
const CALLED_WRONG = new RegExp(
  [
    '^(?:(?:is|was|are|would be|must be|seems)\\s+(?:(?:clearly|also|therefore|thus|definitely|just|simply)\\s+)?',
    '(?:wrong|incorrect|false|invalid|(?:not|never)\\s+(?:correct|right|true))',
    "|(?:is|was)n['’]t\\s+(?:correct|right|true)|ist\\s+(?:falsch|nicht\\s+(?:richtig|korrekt))",
    "|est\\s+(?:faux|fausse|incorrecte?)|n['’]est\\s+pas\\s+(?:correcte?|juste)",
    '|es\\s+(?:falso|incorrecto)|no\\s+es\\s+correcto|是?(?:错误|错的|不正确|不对))(?!\\p{Script=Latin})',
  ].join(''),
  'iu',
);

/** Behind a value and a question mark: `\boxed{7}? No.` */
const TAKEN_BACK = /^\?[\s$*]*no(?=[\s*]*(?:[.!,;:—–]|$))/i;

/** In brackets or in the next sentence, which says nothing else: `\boxed{7} (incorrect)`, `\boxed{7}... wait, no, that's wrong`. */
const CALLED_WRONG_NEXT = new RegExp(
  [
    '^(?:\\((?:(?:this|that|which)\\s+is\\s+)?(?:wrong|incorrect|false|not\\s+(?:correct|right))[.!]?\\)',
    '|[.…!;:?\\s$*—–-]*(?:(?:but|wait|no|oh|oops|sorry|actually|hmm+|hold on)[\\s,.!…—–-]+){0,4}(?:this|that|which|it)',
    "(?:\\s+(?:is|was)|['’]s)\\s+(?:(?:clearly|definitely|simply|just|also)\\s+)?",
    '(?:wrong|incorrect|not\\s+(?:correct|right))(?=[\\s*]*(?:[.!,;:…—–]|$|because\\s|since\\s)))',
  ].join(''),
  'i',
);
