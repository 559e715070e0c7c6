/** What is a model fine-tuned on: which responses, and what is their text? */
import { critiquePrompt, firstPrompt, type Message, type PromptSetName, promptSets } from './agents.ts';

/** A row of a dataset with its text, in TRL's prompt-completion format: the loss is only on the completion, the model's own last turn. */
export type Example = {
  readonly prompt: readonly Message[];
  readonly completion: readonly [Message];
  /** How much it counts in the loss, 1 on average over the dataset; absent when all rows count alike. */
  readonly weight?: number | undefined;
  /** The variables of the chat template with which the response was asked for; absent when there were none. */
  readonly chat_template_kwargs?: { readonly enable_thinking: boolean } | undefined;
};

/** A row of an objective that compares answers, in TRL's forms: an answer that is wanted or not, or two answers of which one is preferred. */
export type LabelledExample = Example & { readonly label: boolean };
export type PairExample = Omit<Example, 'completion'> & {
  readonly chosen: readonly [Message];
  readonly rejected: readonly [Message];
};
export type AnyExample = Example | LabelledExample | PairExample;

/** A dialogue, split before its last message; null when the last message is not a response. */
export function exampleOf(dialogue: readonly Message[]): Example | null {
  const response = dialogue.at(-1);
  return response?.role === 'assistant' ? { prompt: dialogue.slice(0, -1), completion: [response] } : null;
}

/** A row in the form of OpenAI's fine-tuning API: a message of weight 0 adds nothing to the loss. */
export type ChatRow = Pick<Example, 'chat_template_kwargs'> & {
  readonly messages: readonly (Message & { readonly weight?: 0 | 1 })[];
};

/**
 * An example as a chat: the loss is on the last message alone. The weight of the last one is written too, so that all rows have the same
 * fields, which readers of tables infer from the first rows.
 */
export function chatRow({
  prompt,
  completion: [response],
  chat_template_kwargs: variables,
}: Example): ChatRow {
  const before = prompt.map((message) =>
    message.role === 'assistant' ? { ...message, weight: 0 as const } : message,
  );
  const messages = [...before, { ...response, weight: 1 as const }];
  return variables === undefined ? { messages } : { messages, chat_template_kwargs: variables };
}

/** A dataset of a model without its texts: which responses of which agents, and how they were chosen. */
export type Dataset = {
  /** Sorted by question, then by agent. The order in which debates ended does not matter. */
  readonly rows: readonly DatasetRow[];
  /** The sizes of the parts from which rows were drawn, by the part's name; empty when all rows were used. */
  readonly parts: Readonly<Record<string, DatasetPart>>;
  /** How many responses would be completions of rows, but are left out because they were cut off. */
  readonly cut: number;
};

/** How many rows a part had, and how many of them are in the dataset. */
export type DatasetPart = { readonly available: number; readonly used: number };

/** A row without its text: a response of an agent, and the prompt that it answers. */
export type DatasetRow = {
  readonly questionId: string;
  /** 1..N */
  readonly agent: number;
  readonly completion: Completion;
  /** See Example. */
  readonly weight?: number;
  /** Absent where the agent's own response is the completion. */
  readonly ending?: Ending;
};

/** Two responses to one prompt, by the agents that gave them: the preferred one and the other one; or one of them, with its label. */
export type Ending = { readonly chosen: number; readonly rejected: number; readonly label?: boolean };

/**
 * Prompt and completion of a row. `first answer`: the question, and the response of round 1. `revision`: the dialogue, and its last response.
 * `rationale`: the question alone, and the last response, which the model gave to a prompt with the answer (STaR).
 */
export type Completion = 'first answer' | 'revision' | 'rationale';

type Dialogues = { readonly dialogues: readonly (readonly Message[])[] };

/** The text of a row, from the agents' dialogues about its question; null for an agent that took no part, and for two responses with one text. */
export function rowExample(row: DatasetRow, debate: Dialogues): AnyExample | null {
  const example = row.ending === undefined ? ownExample(row, debate) : endedExample(row, row.ending, debate);
  return example === null || row.weight === undefined ? example : { ...example, weight: row.weight };
}

/** Without its weight. */
function ownExample({ agent, completion }: DatasetRow, { dialogues }: Dialogues): Example | null {
  return partOf(dialogues[agent - 1] ?? [], completion);
}

function endedExample(
  row: DatasetRow,
  { chosen, rejected, label }: Ending,
  debate: Dialogues,
): AnyExample | null {
  const prompt = ownExample(row, debate)?.prompt;
  const better = ownExample({ ...row, agent: chosen }, debate)?.completion;
  const worse = ownExample({ ...row, agent: rejected }, debate)?.completion;
  if (prompt === undefined || better === undefined || worse === undefined) return null;
  // It would have no gradient.
  if (better[0].content === worse[0].content) return null;
  if (label === undefined) return { prompt, chosen: better, rejected: worse };
  return { prompt, completion: label ? better : worse, label };
}

function partOf(dialogue: readonly Message[], completion: Completion): Example | null {
  switch (completion) {
    case 'first answer':
      return exampleOf(dialogue.slice(0, 2));
    case 'revision':
      return exampleOf(dialogue);
    case 'rationale':
      return exampleOf([...dialogue.slice(0, 1), ...dialogue.slice(-1)]);
    default:
      return completion satisfies never;
  }
}

/** A row of a kind, as a dataset would have it, with texts that no model wrote: they can be tried on a model's template before a question is asked. */
export type MadeUpRow = Example & { readonly kind: string };

const kinds: Readonly<Record<Completion, string>> = {
  'first answer': 'a first answer',
  revision: 'a revised answer',
  rationale: 'a rationale',
};

/** A row of each kind that debates of `rounds` rounds lead to. */
export function madeUpRows(promptSet: PromptSetName, rounds: number): MadeUpRow[] {
  const prompts = promptSets[promptSet];
  const asked = [firstPrompt(prompts, '12+3*8-5', null)];
  for (let round = 2; round <= rounds; round++)
    asked.push(critiquePrompt(prompts, 'debate', ['3*8=24;12+24=36;36-5=31']));
  const dialogue = asked.flatMap((content, before): Message[] => [
    { role: 'user', content },
    { role: 'assistant', content: `3*8=24;12+24=36;36-5=${31 + before}` },
  ]);
  return Object.entries(kinds).flatMap(([completion, kind]) => {
    const example = partOf(dialogue, completion as Completion);
    return example === null ? [] : [{ kind, ...example }];
  });
}
