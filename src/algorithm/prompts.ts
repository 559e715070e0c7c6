import paper from './prompts/paper.json' with { type: 'json' };
import terse from './prompts/terse.json' with { type: 'json' };

/** One message of a chat, as in OpenAI's protocol. */
export type Message = {
  readonly role: 'user' | 'assistant';
  readonly content: string;
};

/** The texts of the prompts, as data: `{name}` is where the question, a response, a summary goes. */
export type PromptSet = typeof paper;

/** `paper`: instructions in English, for chat models. `terse`: the language of the embedded model. */
export const promptSets = { paper, terse } satisfies Record<string, PromptSet>;
export type PromptSetName = keyof typeof promptSets;

/** What agents are asked to do with each other's responses: compare and correct, or build on them (the paper's Table 3). */
export type Stance = 'debate' | 'cooperate';

/**
 * Round 1: what the generation model is asked.
 *
 * @param agent its number, when agents are told apart by an id; else null
 */
export function firstPrompt(prompts: PromptSet, question: string, agent: number | null): string {
  const prompt = fill(prompts.question, { question });
  return agent === null ? prompt : fill(prompts.identified, { agent: String(agent), prompt });
}

/** What a model is asked that did not find the answer: the reasoning that leads to it (STaR's rationalisation). */
export function hintPrompt(prompts: PromptSet, question: string, answer: string): string {
  return fill(prompts.hint, { question, answer });
}

/**
 * Round m >= 2: what the critic model is shown of the others' previous responses. An agent that is alone (the single-agent
 * ablation, section 4.1 of the paper) has none and is asked to look at its own response again.
 */
export function critiquePrompt(prompts: PromptSet, stance: Stance, responses: readonly string[]): string {
  if (responses.length === 0) return prompts.critiqueAlone;
  const template = stance === 'debate' ? prompts.critique : prompts.cooperate;
  return fill(template, { responses: joined(prompts, responses) });
}

/** Round m >= 2 with a summariser: the critic model is shown the summary instead of the responses. */
export function critiqueWithSummaryPrompt(prompts: PromptSet, stance: Stance, summary: string): string {
  const template = stance === 'debate' ? prompts.critiqueWithSummary : prompts.cooperateWithSummary;
  return fill(template, { summary });
}

/** What the summariser is asked (appendix B.1 of the paper). */
export function summarisePrompt(prompts: PromptSet, question: string, responses: readonly string[]): string {
  return fill(prompts.summarise, { question, responses: joined(prompts, responses) });
}

function joined(prompts: PromptSet, responses: readonly string[]): string {
  return responses.map((response) => fill(prompts.other, { response })).join('\n');
}

/**
 * One pass over the template, so that a placeholder inside a model's response stays the text that it is. Braces in the template
 * around any other word, as in `\boxed{answer}`, stay too.
 */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

/**
 * A dialogue without the oldest response that can go and what was said to it: the question stays, and so does the last response, which is
 * to be revised. Null when nothing more can go.
 */
export function withoutOldestTurn(messages: readonly Message[]): readonly Message[] | null {
  return messages.length < 5 ? null : [...messages.slice(0, 1), ...messages.slice(3)];
}
