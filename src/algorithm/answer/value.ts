/** The short value that a sentence states: of "therefore 42 apples, because …" it is `42 apples`; of "an integer" there is none. */
import { isPlaceholder } from './no-answer.ts';

/** The longest text behind "the answer is" that is looked at. */
export const LONGEST_STATEMENT = 300;

/**
 * The value that a text begins with, without what leads to it and what follows it; null when it gives none.
 *
 * @param following what follows "the answer is"
 */
export function valueAt(following: string): string | null {
  const text = following
    .slice(0, LONGEST_STATEMENT)
    .replace(/<<[^<>\n]{0,80}>>/g, '')
    .replace(LEADING, '');
  const math = MATH.exec(text);
  if (
    math !== null &&
    /^[\s.,;:!*_`"'”)。，]*(?:$|\n|(?<=[.!。]\s*[*_]*)\s|(?<=[,;]\s)[a-z]{3})/.test(
      text.slice(math[0].length),
    )
  ) {
    const content = (math[1] ?? math[2] ?? math[3] ?? math[4] ?? '').replace(/\s+/g, ' ').trim();
    return shortValue(stated(withoutFillers(content)), true);
  }
  const line = withoutFillers(text.split('\n', 1)[0] ?? '');
  const sentence = (SENTENCE.exec(line)?.[0] ?? line).replace(/<(?:\/\w+>|\|).*$/, '');
  if (/^\s*[?？]/.test(line.slice(sentence.length))) return null;
  return shortValue(stated(sentence), false);
}

/** Marks, tags and words between "the answer is" and a value, across lines: `</b>`, "simple:", "as follows:". */
const LEADING =
  /^(?:[*_=\s:：,>"'`}“”|]|<\/?\w{1,10}>)*(?:(?:very |quite |therefore |thus )?(?:simple|simply|clear|obvious|easy|straightforward|the following|as follows|this|thus|therefore)\s*[:：]\s*)?/i;

const MATH = /^(?:\$\$([^$]+)\$\$|\\\[([^]+?)\\\]|\$([^$\n]+)\$|\\\(([^]+?)\\\))/;

/** Up to the full stop, but not that of a decimal number, of `p.m.` or of `St. Louis`. */
const SENTENCE =
  /^(?:[^.?？。！]|\.(?=\S)(?!\*|\$$|["')`\]])|(?<=\b(?:St|Dr|Mrs?|Ms|Mt|Prof))\.|(?<=[\d$)}]\s?)[?](?=\S))*/;

const FILLER = new RegExp(
  '^(?:' +
    [
      'therefore|thus|hence|then|so|simply|just|only|clearly|obviously|indeed|actually|exactly|still|also|again|now|always|in fact|of course|likely|probably|definitely|certainly|surely|precisely|finally',
      '(?:(?:found|calculated|computed|determined) to be|(?:calculated|computed|given|written) as)(?=\\s*[-$\\\\\\d])|(?:approximately|about|around|roughly)(?=\\s*[-$\\\\\\d])|given by|equal to|equals|(?:an?|the) total of|(?:the )?(?:number|value|integer|fraction)(?= [-$\\\\\\d])',
      '(?:the )?(?:correct )?(?:option|choice|letter|alternative)|is|be|I (?:think|believe|guess)',
      'both|also|daher|somit|folglich|einfach|genau|(?:die )?(?:richtige )?Option|Antwort',
      "donc|alors|ainsi|simplement|(?:l['’])?option|(?:la )?(?:lettre|réponse)|(?:la|le|el|die|das|the|a)(?= \\(?[A-J]\\)?[.\\s]*$)",
      'entonces|por lo tanto|pues|simplemente|(?:a |la )?(?:opción|letra|lettera|alternativa)',
      'quindi|dunque|portanto|então|(?:a )?opção|(?:la )?opzione|вариант',
    ].join('|') +
    ')(?![\\p{L}\\d_])[\\s,:]*|^(?:选项|选择|选|選|是|为|为：|約|约)[\\s：:]*|^(?:[≈~=]|\\\\approx)\\s*(?=[-$\\\\\\d])',
  'iu',
);

function withoutFillers(text: string): string {
  let left = text.replace(
    /^(?:not|nicht)\s[^.,;]{1,40}?[,;]?\s+(?:but\s+(?:rather\s+)?(?:it\s+is\s+)?|it(?:\s+is|['’]s)\s+|sondern\s+)/i,
    '',
  );
  for (let before = ''; before !== left;) {
    before = left;
    left = left.replace(FILLER, '').replace(/^[*_:]+\s*/, '');
  }
  return left;
}

/** Words behind which no value goes on. */
const TURN =
  /,\s+(?!(?:and|or|und|oder|et|ou|y|o)\b|(?<=\p{Lu}\p{L}{2,},\s+)\p{Lu}\p{L}+[.\s]*$)\p{L}{3,}.*$|,\s+I\s(?:think|believe|guess|suppose|hope)\b.*$|\s*\(\s*not\s.*$|\s+(?:because|since|which|that|where|if|when|but|however|though|although|so|aber|mais|pero|weil|denn|da|car|puisque|parce|porque|ya|rather than|instead of)(?!\p{L}).*$|,?\s+(?:and|but)?\s*\bnot\b.*$|(?<=\d%?)\s+of (?:the|all|its|her|his|their)(?!\p{L}).*$|\s+(?:in (?:total|all)|altogether|overall)(?!\p{L}).*$|\s*[，；；]\s*(?:因为|所以|即).*$/su;

/** `The largest $n$ is 34`, `She has 12 apples left`: the value behind the verb. Behind "has" it is the only number. */
const SUBJECT = /^[^$\\\d]*[a-z$]\s+(?:is|are|equals)\s+|^[^\n]*\$\s+(?:is|are|equals|=)\s+/i;
const HAVING =
  /^(?!(?:we|you|I|let)\s)[^$\\\d]*[a-z]\s+(?:(?:will|would)\s+)?(?:has|have|had|was|were|costs?|makes?|made|earns?|earned|spends?|spent|pays?|paid|needs?|takes?|took|gets?|got|sold|weighs?|remains?)\s+(?:(?:about|only|a total of)\s+)?(?=[-$\d][^\d]*[\d.,]*[^\d]*$)/i;
function stated(sentence: string): string {
  const clause = sentence.replace(TURN, '');
  const behind = /[\d$\\]/.test(clause)
    ? clause
        .replace(SUBJECT, '')
        .replace(HAVING, '')
        .replace(/^\p{Script=Han}{1,10}(?=\d)/u, '')
    : clause;
  return withoutFillers(withoutComputation(behind));
}

/** Of `9 * 60 = 540` the result. What is no computation with numbers is left as it is. */
export function withoutComputation(text: string): string {
  const at = text.lastIndexOf('=');
  const isComputation =
    /^[-+*/().,%\d\s$×÷=]*\d[-+*/().,%\d\s$×÷=]*$/.test(
      text.slice(0, at).replace(/\\(?:times|cdot|div)/g, '*'),
    ) && /^\s*[-$]?[\d.]/.test(text.slice(at + 1));
  return at > 0 && isComputation ? text.slice(at + 1) : text;
}

/**
 * The text when it is a value: a number, a formula, a letter of a choice, a name of few words. Null for a phrase that gives none.
 *
 * @param formula whether it stood between the delimiters of mathematics
 */
export function shortValue(raw: string, formula: boolean): string | null {
  const text = clean(raw, formula);
  if (text === null || text.length > 200 || isPlaceholder(text)) return null;
  if (ALL_CHOICES.test(text.replace(/^\[|\]$/g, ''))) return null;
  if (CHOICE.test(text)) return text;
  const plain = text
    .replace(/\\(?:text(?:bf|it|rm|normal)?|math(?:bf|rm|it)|mbox|operatorname)\s*\{([^{}]*)\}/g, ' $1 ')
    .replace(/\\[a-zA-Z]+/g, ' ');
  const words =
    plain
      .match(/[\p{Script=Latin}\p{Script=Cyrillic}][\p{L}\p{M}'’]+/gu)
      ?.filter((word) => !FUNCTION.test(word)) ?? [];
  if (words.length === 0) return isCjkPhrase(text) || isLoneVariable(text, formula) ? null : text;
  const bare = text.replace(/(?<!\\)\$/g, '');
  if (
    /^\s*(?:[-+−±~≈(]\s*)*[$€£¥₹]?\s*[-−]?(?:\.?\d|[√π∞([{|]|\\(?!text|math|mbox))/.test(bare) &&
    /\d|\\[a-z]/i.test(bare)
  ) {
    return valueWithUnits(text, words);
  }
  if (
    /^[A-Za-z](?:_?\w{1,2}|_\{\w+\})?(?:\([^()]*\))?\s*(?:=|≈|<|>|≤|≥|∈|\\(?:[lg]eq?|in|approx)(?![a-z]))\s*\S/.test(
      bare,
    )
  ) {
    return words.length <= 5 && !words.some(isEmptyWord) ? text : null;
  }
  return isName(text, plain, words) ? text : null;
}

/** A number with what is counted. When too much follows, the number alone. */
function valueWithUnits(text: string, words: readonly string[]): string | null {
  const lower = words.map((word) => word.toLowerCase());
  if (lower.some((word) => COMPARES.has(word))) return null;
  if (words.length <= 6 && !lower.some((word) => CLAUSE.has(word))) return text;
  return /^[-+−]?\s*[$€£¥₹]?\s*[-−]?[\d.,]*\d%?(?=\s)/.exec(text)?.[0] ?? null;
}

const FUNCTION =
  /^(?:sin|cos|tan|cot|sec|csc|arc\w+|log|ln|exp|sqrt|mod|min|max|gcd|lcm|lim|det|pi|infty|inf)$/;
/** `3 more than x`, `10 divided by 2`: the number is not the value. */
const COMPARES = new Set('than divided multiplied option choice step'.split(' '));
const CLAUSE = new Set(
  'is are was were be than you we i it they he she must should will has have does need needs'.split(' '),
);

/** `A`, `(B)`, `(B) Paris`, `C. 12`, `E - text`, `A and C`. */
const CHOICE =
  /^(?:\(?[A-J]\)?[.:]?|\(?[a-e]\)|[a-e]|\([A-Ja-j]\)\s*\S.*|[A-J](?:[.):]\s*|\s+[-–—]\s+)\S.*|\[[A-J]\]|\(?[A-J]\)?(?:\s*(?:,|and|or|&|und|et|y)\s*\(?[A-J]\)?)+)$/s;
/** Nothing is chosen: `A, B, C or D`, `A/B/C/D`. */
const ALL_CHOICES =
  /^\(?A\)?\s*[,/|]?\s*\(?B\)?\s*[,/|]?\s*(?:or\s+)?\(?C\)?\s*(?:[,/|]?\s*(?:or\s+)?\(?D\)?.*)?$/s;

/** "Let the answer be x": a letter that names no choice is no value in a sentence. */
function isLoneVariable(text: string, formula: boolean): boolean {
  return !formula && /^\(?[a-zA-Z]\)?$/.test(text) ? true : formula && /^[f-zK-Z]$/.test(text);
}

/** Of Chinese and Japanese, where no blanks separate words: more than a name, or words without a value. */
function isCjkPhrase(text: string): boolean {
  const signs =
    text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu)?.length ?? 0;
  if (signs === 0) return false;
  if (/^[-+−]?[$€£¥]?\d/.test(text)) return signs > 12;
  return (
    signs > 12 || /未知|不确定|不知道|不清楚|如下|无法|任意|所求|需要|不明|分からない|正确的|明显/.test(text)
  );
}

/** Whether a text of words names something: few of them, and none that only talks about an answer. */
function isName(text: string, plain: string, words: readonly string[]): boolean {
  const first = words[0] ?? '';
  const lower = words.map((word) => word.toLowerCase());
  const numbered = /\d/.test(plain);
  if (numbered) return NUMBERED.test(text) && !lower.some((word) => PART.has(word) || isEmptyWord(word));
  if (/^(?:no|none|all|infinitely)\s/i.test(plain))
    return words.length <= 6 && !lower.some((word) => CLAUSE.has(word));
  if (words.length > 5 || STARTS_NO_NAME.test(plain.replace(/^[\s([]+/, '')) || text.includes('='))
    return false;
  if (lower.some((word) => isEmptyWord(word))) return false;
  return (
    words.length > 1 ||
    first !== first.toLowerCase() ||
    !/\p{L}{2}(?:ed|bar|bare)$/u.test(first) ||
    RESULTS.test(first)
  );
}

function isEmptyWord(word: string): boolean {
  return EMPTY.has(word.toLowerCase()) || CLAUSE.has(word.toLowerCase());
}

const STARTS_NO_NAME =
  /^(?:in|on|at|from|by|for|of|below|above|as|to|with|within|between|about|under|over|after|before|through|until|not|if|when|because|let|almost|nearly|greater|less|more|most|least|smaller|larger|bigger|how|why|who|whom|based|see|using|use|first|step|an? \p{L}+ed)(?!\p{L})/iu;
/** `Apollo 11`, `July 4, 1776`, `room 101`, `minus 5`, `CO2`. */
const NUMBERED =
  /^[A-Z][A-Za-z\d_()^+-]*$|^(?:the\s+)?(?:(?:\p{Lu}[\p{L}.'’-]*\s+){1,3}|(?:day|room|week|year|level|grade|class|group|type|team|floor|minus|plus|negative)\s+)\d[\d,./:-]*(?:st|nd|rd|th)?(?:,?\s*\d{4})?$/u;
/** Parts of a solution, which have numbers too: `Step 1`. */
const PART = new Set(
  'step part problem case question line section figure equation method example note multiple least most than between from of at more less digit'.split(
    ' ',
  ),
);
/** Words that talk about an answer, or about the reader, and give no value. */
const EMPTY = new Set(
  (
    'any some every each whatever something anything either unknown unclear undetermined known shown written correct incorrect right wrong ' +
    'obvious clear clearly simple easy simplest simplified complete final likely probably definitely certain certainly sure usually possible unique ' +
    'similar close different same important interesting available here there this that these those it he she you me my your our their his her its ' +
    'mystery sorry nowhere yours nothing null simpler easier harder bigger smaller larger greater longer shorter neither nor very quite pretty too rather really bit tricky straightforward reasonable consistent accurate plausible approximate exact numeric numerical ' +
    'valid logical trivial ambiguous subjective debatable complicated follows difficult hard to find number numbers integer integers value values fraction fractions decimal decimals expression formula equation equations result results ' +
    'answer answers option options choice choices letter letters statement statements form format sum difference total amount quantity question problem ' +
    'what which whose how why where below above hidden left out up can cannot could may might would shall do did not never given found let ' +
    'nicht kein keine unklar unbekannt richtig falsch gesucht folgende pas inconnu inconnue suivante correcte desconocida siguiente'
  ).split(' '),
);
/** Words that end like "needed" or "required", and are answers. */
const RESULTS =
  /^(?:undefined|hundred|(?:un|dis)?(?:bounded|biased|limited|connected)|closed|isolated|mixed|dashed|shaded|inclined)$/;

/** Without Markdown, the dollar signs of mathematics and of money, closing punctuation and thousands commas. */
export function clean(raw: string, formula = false): string | null {
  let text = raw.replace(/\*\*|__|==|`/g, '').trim();
  for (let before = ''; before !== text;) {
    before = text;
    text = text
      .replace(formula ? /[.,;:。，；：！、]+$/ : /[.,;:!。，；：！、]+$/, '')
      .replace(
        /^(?:\p{Extended_Pictographic}\uFE0F?\s*)+(?=\D)|(?:\s*(?!\d)\p{Extended_Pictographic}\uFE0F?)+$/gu,
        '',
      )
      .replace(/(?:です|である|だ|입니다|이다)$/, '')
      .replace(/^["'“”「『*_]+|["'“”」』*_]+$/g, '')
      .trim();
    if (/[}\])]$/.test(text) && !/[{[(]/.test(text)) text = text.slice(0, -1);
    const math = /^(?:\$\$?([^$]+)\$\$?|\\\((.+)\\\)|\\\[(.+)\\\])$/s.exec(text);
    text = (math?.[1] ?? math?.[2] ?? math?.[3] ?? text).trim();
    text = text.replace(/^\\?\$(?=[\d.,]+$)|(?<=^[^$]*)\$$/g, '');
  }
  if (/^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/.test(text)) text = text.replaceAll(',', '');
  return /[\p{L}\p{N}\\∞∅]/u.test(text) ? text : null;
}
