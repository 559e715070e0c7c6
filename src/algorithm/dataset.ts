import type { Message } from './prompts.ts';

/** One row of a dataset, in TRL's prompt-completion form: the loss is on the completion alone, the model's own last turn. */
export type Example = {
  readonly prompt: readonly Message[];
  readonly completion: readonly [Message];
};

/** A dialogue, split before its last message. Null when that message is not a response. */
export function exampleOf(dialogue: readonly Message[]): Example | null {
  const response = dialogue.at(-1);
  return response?.role === 'assistant' ? { prompt: dialogue.slice(0, -1), completion: [response] } : null;
}

/** What a model is to be fine-tuned on, before its texts: which responses of whom, and how they were chosen. */
export type Dataset = {
  /** In the order of questions, then of agents, whatever order debates ended in. */
  readonly rows: readonly DatasetRow[];
  /** How many of each part there were and how many were taken, by the part's name; empty when all were taken. */
  readonly parts: Readonly<Record<string, DatasetPart>>;
};
export type DatasetPart = { readonly available: number; readonly used: number };

/** One row: a response of an agent, and what it is an answer to. */
export type DatasetRow = {
  readonly questionId: string;
  /** 1..N */
  readonly agent: number;
  readonly completion: Completion;
};

/**
 * `first answer`: the question, and the response of round 1. `revision`: the whole dialogue, and its last response. `rationale`: the bare
 * question, and the last response, which the model gave when it was told the answer (STaR).
 */
export type Completion = 'first answer' | 'revision' | 'rationale';

/** The text of a row, from the agents' dialogues on its question; null for an agent that took no part. */
export function rowExample(
  { agent, completion }: DatasetRow,
  { dialogues }: { readonly dialogues: readonly (readonly Message[])[] },
): Example | null {
  const dialogue = dialogues[agent - 1] ?? [];
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

/** Sorts rows by question id (code units), then by agent. */
export function byQuestionAndAgent(a: DatasetRow, b: DatasetRow): number {
  if (a.questionId !== b.questionId) return a.questionId < b.questionId ? -1 : 1;
  return a.agent - b.agent;
}
