/** What is a question, how is the answer of a response read, when is it right, and which answer does the majority give? The paper asks for a box (section 3.1). */
import { type Boxed, boxedAnswer, cutOffBox } from './answer/boxes.ts';
import {
  bareAnswer,
  isRefusal,
  lastHashLine,
  lastLabel,
  lastLine,
  lastSentence,
  lastTag,
  spokenPart,
  type Statement,
  turnsOf,
  withoutEcho,
  withoutTags,
} from './answer/statements.ts';
import { draw, type DrawKey } from './random.ts';

/**
 * A question for the agents. It has no answer on purpose: all training data are made from questions, so a gold answer cannot get into a
 * dataset by accident (section 2.2 of the paper: no labels are used).
 */
export type Question = {
  /** Unique within the experiment and stable over iterations, e.g. `train-00017`. */
  readonly id: string;
  readonly text: string;
};

/** The answers to a question that are right: the gold answer, and others that are accepted as well. */
export type Gold = { readonly answer: string; readonly accepted?: readonly string[] | undefined };

/** A question that is used to measure, never to train. Only this kind has its gold answer. */
export type HeldOutQuestion = Question & Gold;

/** The gold answer of a training question. Only `label_source: gold` (STaR) learns from it; measures judge labels by it. */
export type GoldLabel = { readonly questionId: string } & Gold;

/** Of an object with more in it, what is right. */
export function goldOf({ answer, accepted }: Gold): Gold {
  return accepted === undefined ? { answer } : { answer, accepted };
}

/** Sorts by question id (code units). The order is the same on every worker, in whatever order the work is finished. */
export function byQuestion(a: { readonly questionId: string }, b: { readonly questionId: string }): number {
  return a.questionId < b.questionId ? -1 : a.questionId > b.questionId ? 1 : 0;
}

/** Sorts by question id (code units), then by agent. */
export function byQuestionAndAgent(
  a: { readonly questionId: string; readonly agent: number },
  b: { readonly questionId: string; readonly agent: number },
): number {
  return byQuestion(a, b) || a.agent - b.agent;
}

/** What an answer to a task's questions is. Each task brings its own rules. */
export type AnswerRules = {
  /** The answer that a response gives; null when it gives none. What repeats one of the `asked` texts is no answer. */
  readonly extract: (response: string, asked?: readonly string[]) => string | null;
  /** Whether two answers are the same one: the vote counts classes of equal answers. */
  readonly equal: AnswerEquality;
  /** Whether an answer to the question with this text is right. Only held-out questions are measured by it, and `label_source: gold`. */
  readonly correct: (answer: string, gold: Gold, question: string) => boolean | Promise<boolean>;
};

/** The rules of questions whose answers are short texts, as in the paper: an answer is right when it equals a gold answer. */
export function shortAnswers(equal: AnswerEquality): AnswerRules {
  return {
    extract: extractAnswer,
    equal,
    correct: (answer, gold) => equalsOneOf([gold.answer, ...(gold.accepted ?? [])], answer, equal),
  };
}

/**
 * The final answer of a response, trimmed, or null when it gives none: docs/grading.md has the rules. The text outside its thinking takes
 * precedence over its thinking. Where there are several of one kind, the last one that gives a value counts. The kinds are a `\boxed{…}`, an
 * `<answer>…</answer>`, GSM8K's line `#### 72`, and "the answer is …". Time is linear in the length of the response.
 *
 * @param asked the question and the prompts that it answers: a response that begins with one of them repeats it
 */
export function extractAnswer(response: string, asked: readonly string[] = []): string | null {
  const own = withoutEcho(response, asked);
  const spoken = spokenPart(own);
  const answer = answerIn(spoken);
  return answer !== null || spoken === own || isRefusal(spoken) ? answer : answerIn(withoutTags(own));
}

/** The answer of the first turn that gives one: what follows is a question that the model made up. */
function answerIn(text: string): string | null {
  for (const turn of turnsOf(text)) {
    const answer = answerInTurn(turn);
    if (answer !== null) return answer;
  }
  return null;
}

function answerInTurn(text: string): string | null {
  const box = boxedAnswer(text);
  const tag = lastTag(text);
  const sentence = lastSentence(text);
  if (tag !== null && (box === null || box.from < tag.at)) return insideOf(tag.answer);
  if (box !== null) return isOverruled(text, box, sentence) ? sentence.answer : sentenceIn(box.answer);
  const marked = lastHashLine(text)?.answer ?? cutOffBox(text) ?? lastLabel(text);
  return marked ?? sentence?.answer ?? lastLine(text) ?? bareAnswer(text);
}

/** The answer of a tag, which may hold a box or a sentence. */
function insideOf(content: string): string {
  return boxedAnswer(content)?.answer ?? sentenceIn(content);
}

function sentenceIn(content: string): string {
  return content.length > 300 ? content : (lastSentence(content)?.answer ?? content);
}

/**
 * Whether a sentence behind a box states the answer, and the box was a step on the way: a relation, or a value in a sentence that does not call
 * it the answer. A choice in a box stays, and so does a value that the sentence puts in words.
 */
function isOverruled(text: string, box: Boxed, sentence: Statement | null): sentence is Statement {
  if (sentence === null || sentence.at < box.end || !/[\d\\]|^\W*[A-J]\b/.test(sentence.answer)) return false;
  if (/\banswers?\b[^.\n]{0,40}$/i.test(text.slice(Math.max(0, box.from - 60), box.from))) return false;
  if (/^(?:\\text(?:bf)?\s*\{)?\s*\(?[A-J](?:[).:}]|$)/.test(box.answer)) return false;
  const isRelation =
    /[<>=≤≥≈]|\\(?:ll|gg|leq?|geq?|approx|sim|propto|equiv|to|rightarrow|Rightarrow|implies)(?![a-zA-Z])/.test(
      box.answer,
    );
  const opening =
    text
      .slice(box.end, sentence.at)
      .split(/[.!?:;,\n]/)
      .at(-1) ?? '';
  const isConclusion =
    opening.split(/\s+/).length <= 8 &&
    !/\b(?:may|might|could|thinks?|thought|guess|mistake)\b/i.test(opening);
  return isRelation || (isConclusion && text.length - sentence.at < 300);
}

/**
 * Whether `answer` equals `reference` (a label, or the first answer of a class of equal answers).
 * It may be asynchronous, because symbolic equality needs a computer algebra engine.
 */
export type AnswerEquality = (reference: string, answer: string) => boolean | Promise<boolean>;

/** Whether `answer` equals at least one of `references`. A promise only when `equal` gives one. */
export function equalsOneOf(
  references: readonly string[],
  answer: string,
  equal: AnswerEquality,
): boolean | Promise<boolean> {
  for (const [index, reference] of references.entries()) {
    const found = equal(reference, answer);
    if (found === true) return true;
    if (found !== false) return eitherOf(found, references.slice(index + 1), answer, equal);
  }
  return false;
}

async function eitherOf(
  found: Promise<boolean>,
  others: readonly string[],
  answer: string,
  equal: AnswerEquality,
): Promise<boolean> {
  return (await found) || equalsOneOf(others, answer, equal);
}

/** The result of a majority vote (section 2.1 of the paper: the vote over the answers of the last round). */
export type Consensus = {
  /** The winning answer, in the spelling of one of its voters; null when no answer could be parsed. */
  readonly answer: string | null;
  /** How many of the answers that voted equal it: of the last round, one for each agent. */
  readonly votes: number;
  /** How many classes of equal answers have the greatest number of votes: 1 for a clear win, 2 or more for a tie, 0 without parsed answers. */
  readonly tied: number;
};

/**
 * The majority vote over classes of equal answers. An answer that could not be parsed (null) never wins against a parsed one.
 * A tie is decided by a seeded draw, never by the order of agents or of strings: the authors' code takes the greatest string,
 * so that "9" beats "10"; the order of agents would fill agent 1's datasets with its own mistakes.
 *
 * @param preferred one of the answers, which wins a tie in which it takes part
 */
export async function majorityVote(
  answers: readonly (string | null)[],
  equal: AnswerEquality,
  tieBreak: DrawKey,
  preferred: string | null = null,
): Promise<Consensus> {
  const classes = await answerClasses(answers, equal);
  const votes = Math.max(0, ...classes.map((members) => members.length));
  const leaders = classes.filter((members) => members.length === votes);
  const winner =
    leaders.find((members) => preferred !== null && members.includes(preferred)) ??
    leaders[leaders.length > 1 ? draw(tieBreak, leaders.length) : 0];
  return { answer: winner?.[0] ?? null, votes, tied: leaders.length };
}

/**
 * The parsed answers in classes of equal answers. Each answer is compared with the first member of every class so far, because equality
 * with tolerances is not transitive. The answers are sorted first, so that the order of agents does not change the classes.
 */
export async function answerClasses(
  answers: readonly (string | null)[],
  equal: AnswerEquality,
): Promise<string[][]> {
  const classes: [string, ...string[]][] = [];
  for (const answer of answers.filter((each) => each !== null).toSorted(byCodeUnits)) {
    const existing = await findClass(classes, answer, equal);
    if (existing) existing.push(answer);
    else classes.push([answer]);
  }
  return classes;
}

async function findClass(classes: readonly [string, ...string[]][], answer: string, equal: AnswerEquality) {
  const sameText = classes.find((members) => members.includes(answer));
  if (sameText) return sameText;
  for (const members of classes) {
    if (await equal(members[0], answer)) return members;
  }
  return undefined;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
