/** A request of an experiment in words, behind the reason why a step failed: those who read it can find the prompt. */
export type RequestPlace = {
  readonly questionId: string;
  readonly agent: number;
  readonly round: number;
  /** The role that was asked. */
  readonly speaker: string;
};

const beginning = 'First met at question ';

export function placeText({ questionId, agent, round, speaker }: RequestPlace): string {
  return `${beginning}${questionId}, agent ${agent}, round ${round} (${speaker}).`;
}

/** A failure's message as its cause, which several steps may share, and the line about the request behind it, if any. */
export function splitPlace(message: string): { readonly cause: string; readonly place: string | null } {
  const at = message.lastIndexOf(`\n${beginning}`);
  return at < 0
    ? { cause: message, place: null }
    : { cause: message.slice(0, at), place: message.slice(at + 1) };
}
