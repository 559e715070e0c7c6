/** Which text does a model get in each round? */
import texts from './prompts.json' with { type: 'json' };

/** One message of a chat, as in OpenAI's protocol. */
export type Message = {
  readonly role: 'user' | 'assistant';
  readonly content: string;
};

/**
 * The texts of the prompts, as data. A placeholder `{name}` stands for the question, a response or a summary. No text that could be an
 * answer stands in them, as small models repeat them: a box in an instruction is empty.
 */
export type PromptSet = typeof texts.paper;

/**
 * `paper`: instructions in English, for chat models. `reflect`: the same first question; in further rounds agents reflect, criticise each other and
 * change their answer only for a reason (after the reflect-critique-refine prompts of DTE, EMNLP 2025). `terse`: the language of the embedded model.
 */
export const promptSets = texts satisfies Record<string, PromptSet>;
export type PromptSetName = keyof typeof promptSets;

/** What agents do with each other's responses: compare and correct them, or build on them (the paper's Table 3). */
export type Stance = 'debate' | 'cooperate';

/**
 * The prompt of round 1, for the generation model.
 *
 * @param agent the agent's number, when the prompt has it (method `unique-id`); else null
 */
export function firstPrompt(prompts: PromptSet, question: string, agent: number | null): string {
  const prompt = fill(prompts.question, { question });
  return agent === null ? prompt : fill(prompts.identified, { agent: String(agent), prompt });
}

/** The prompt for a model whose answer was wrong: it asks for the reasoning that leads to the right answer (STaR's rationalisation). */
export function hintPrompt(prompts: PromptSet, question: string, answer: string): string {
  return fill(prompts.hint, { question, answer });
}

/**
 * The prompt of a round m >= 2, for the critic model, with the other agents' previous responses. An agent without others (the single-agent
 * ablation, section 4.1 of the paper) is asked to look at its own response again.
 */
export function critiquePrompt(prompts: PromptSet, stance: Stance, responses: readonly string[]): string {
  if (responses.length === 0) return prompts.critiqueAlone;
  const template = stance === 'debate' ? prompts.critique : prompts.cooperate;
  return fill(template, { responses: joined(prompts, responses) });
}

/** The prompt of a round m >= 2 with a summary of the other responses instead of the responses. */
export function critiqueWithSummaryPrompt(prompts: PromptSet, stance: Stance, summary: string): string {
  const template = stance === 'debate' ? prompts.critiqueWithSummary : prompts.cooperateWithSummary;
  return fill(template, { summary });
}

/** The prompt for the summariser (appendix B.1 of the paper). */
export function summarisePrompt(prompts: PromptSet, question: string, responses: readonly string[]): string {
  return fill(prompts.summarise, { question, responses: joined(prompts, responses) });
}

function joined(prompts: PromptSet, responses: readonly string[]): string {
  return responses.map((response) => fill(prompts.other, { response })).join('\n');
}

/**
 * Fills the placeholders in one pass, so that a placeholder inside a model's response stays text. Other braces of the template, as in
 * `\boxed{}`, stay too.
 */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

/**
 * A dialogue without the oldest response that may be left out, and the message after it. The question stays, and so does the last response,
 * which has to be revised. Null when nothing more may be left out.
 */
export function withoutOldestTurn(messages: readonly Message[]): readonly Message[] | null {
  return messages.length < 5 ? null : [...messages.slice(0, 1), ...messages.slice(3)];
}
