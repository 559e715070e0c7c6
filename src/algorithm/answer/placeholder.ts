/** What stands where an answer should stand, and is none: `\boxed{answer}`, `[number]`, `...`. Models copy it from prompts. */

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
