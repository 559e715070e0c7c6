/** Which part of a response speaks to the reader: not the prompt that it repeats, not its thinking, not a further question that it makes up. */

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
