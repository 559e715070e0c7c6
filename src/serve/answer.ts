/** What a debate answers a client: one response, as OpenAI's chat completions have it. */
import { isCutOff } from '../algorithm/answer.ts';
import type { AnsweredDebate } from './debaters.ts';

/** The words of OpenAI for the end of a completion. */
type FinishReason = 'stop' | 'length' | 'content_filter';

/** One response of a debate, and how it was voted for. */
export type DebateAnswer = {
  /** The last response of the first agent whose answer won the vote; of agent 1 when there was no readable answer. */
  readonly text: string;
  readonly finishReason: FinishReason;
  /** Beside OpenAI's fields: `colloquy` in the reply. */
  readonly vote: {
    /** Null when no answer could be read. */
    readonly answer: string | null;
    readonly votes: number;
    readonly agents: number;
    /** How many answers had as many votes. */
    readonly tied: number;
  };
};

export function answerOf({
  dialogues,
  agrees,
  consensus,
  finishReasons,
}: Pick<AnsweredDebate, 'dialogues' | 'agrees' | 'consensus' | 'finishReasons'>): DebateAnswer {
  const winner = Math.max(
    0,
    agrees.findIndex((byRound) => byRound.at(-1) === true),
  );
  return {
    text: dialogues[winner]?.at(-1)?.content ?? '',
    finishReason: inOpenAisWords(finishReasons.responses[winner]?.at(-1) ?? 'unknown'),
    vote: {
      answer: consensus.answer,
      votes: consensus.votes,
      agents: dialogues.length,
      tied: consensus.tied,
    },
  };
}

/** Servers have other words too, which OpenAI's clients do not know: each that means a response that was cut off becomes `length`. */
function inOpenAisWords(finishReason: string): FinishReason {
  if (!isCutOff(finishReason)) return 'stop';
  return finishReason === 'content_filter' ? 'content_filter' : 'length';
}

/** What every part of a reply has. */
export type ReplyHead = { readonly id: string; readonly created: number; readonly model: string };

type Tokens = AnsweredDebate['tokens'];

/** The whole reply. The usage counts all that the debate has read and written. */
export function completion(
  head: ReplyHead,
  { text, finishReason, vote }: DebateAnswer,
  tokens: Tokens,
): object {
  return {
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage: usage(tokens),
    colloquy: vote,
  };
}

/** The reply in parts, for `stream: true`. The answer comes at once, when the vote is over. */
export function chunks(
  head: ReplyHead,
  { text, finishReason, vote }: DebateAnswer,
  tokens: Tokens,
  includeUsage: boolean,
): object[] {
  const chunk = (delta: object, finish: FinishReason | null, more: object = {}) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(includeUsage ? { usage: null } : {}),
    ...more,
  });
  return [
    chunk({ role: 'assistant', content: '' }, null),
    chunk({ content: text }, null),
    chunk({}, finishReason, { colloquy: vote }),
    ...(includeUsage
      ? [{ ...head, object: 'chat.completion.chunk', choices: [], usage: usage(tokens) }]
      : []),
  ];
}

function usage({ prompt, completion: written }: Tokens): object {
  return { prompt_tokens: prompt, completion_tokens: written, total_tokens: prompt + written };
}
