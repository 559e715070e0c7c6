/** Who takes part in a debate, which model of an agent answers in a round, and with which text is it asked? */
import texts from './prompts.json' with { type: 'json' };

/** What a model of an agent does in a debate. Roles are data: a method has a list of them. */
export type Role = {
  /** Datasets, models and steps have this name in theirs. */
  readonly name: string;
  /** Whether its model answers in a round, 1..M. When several roles would answer, the first one in the method's list does. */
  readonly answers: (round: number, rounds: number) => boolean;
};

/** Gives the first answers (section 2.3 of the paper). */
export const generation: Role = { name: 'generation', answers: (round) => round === 1 };

/** Revises the answers, in every round after the first. */
export const critic: Role = { name: 'critic', answers: (round) => round > 1 };

/** Answers in every round: the ablation without critics. */
export const generationThroughout: Role = { name: 'generation', answers: () => true };

/** The name of the one model that a group is distilled into, where agents' models have the names of roles. */
export const distilledModel = 'distilled';

/** The role whose model answers in a round. @throws RangeError when none does */
export function roleOf(roles: readonly Role[], round: number, rounds: number): Role {
  const role = roles.find(({ answers }) => answers(round, rounds));
  if (role === undefined) {
    const names = roles.map(({ name }) => name).join(', ');
    throw new RangeError(`None of the roles ${names} answers in round ${round} of ${rounds}.`);
  }
  return role;
}

/** One of N agents. `Model` is the caller's type for a model; the algorithm only passes models on. */
export type Agent<Model> = {
  /** 1..N */
  readonly number: number;
  /** The models by the name of their role (section 2.3 of the paper: a generation and a critic model). */
  readonly models: Readonly<Record<string, Model>>;
};

/**
 * The N agents before the first fine-tune: all models of an agent are its base model.
 *
 * @param bases by agent; in the paper all are the same
 */
export function baseAgents<Model>(
  bases: readonly Model[],
  roles: readonly Pick<Role, 'name'>[],
): Agent<Model>[] {
  return bases.map((base, index) => ({
    number: index + 1,
    models: Object.fromEntries(roles.map(({ name }) => [name, base])),
  }));
}

/** The agent's model of a role. @throws RangeError when it has none */
export function modelOf<Model>({ number, models }: Agent<Model>, role: string): Model {
  const model = models[role];
  if (model === undefined) throw new RangeError(`Agent ${number} has no ${role} model.`);
  return model;
}

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
