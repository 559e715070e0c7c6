/** Why did a model stop, and how many responses were cut off? */

/**
 * Why the models stopped, in the server's words: `stop` (the model ended its response), `length` (it was cut off at `max_tokens`), or another
 * word. `unknown` when the server gave none. Both lists are empty in debates that were written before finish reasons were kept.
 */
export type FinishReasons = {
  /** By agent, then by round. */
  readonly responses: readonly (readonly string[])[];
  /** Of the summaries of the others' responses: by agent, then by round, from round 2. An agent that got no summary has an empty list. */
  readonly summaries: readonly (readonly string[])[];
};

/** The words of OpenAI, vLLM, Mistral, DeepSeek and other servers for a response that the model did not end itself. */
const cutOffReasons: ReadonlySet<string> = new Set([
  'length',
  'max_tokens',
  'model_length',
  'content_filter',
  'insufficient_system_resource',
  'abort',
  'error',
]);

/** Whether a response was cut off, so that its last token is not the end that the model gave it. */
export function isCutOff(finishReason: string): boolean {
  return cutOffReasons.has(finishReason);
}

/** How many of some responses were cut off. Responses with an unknown finish reason do not count. */
export type CutOffCount = {
  readonly cut: number;
  readonly of: number;
  /** cut / of, 0..1; null when `of` is 0. */
  readonly share: number | null;
};

/** How many of the agents' responses, of all rounds, and how many of the summaries were cut off. */
export type CutOff = { readonly responses: CutOffCount; readonly summaries: CutOffCount };

export const noneCutOff: CutOff = {
  responses: { cut: 0, of: 0, share: null },
  summaries: { cut: 0, of: 0, share: null },
};

/** Counts over one debate. */
export function countCutOff({ responses, summaries }: FinishReasons): CutOff {
  return { responses: countOf(responses.flat()), summaries: countOf(summaries.flat()) };
}

function countOf(finishReasons: readonly string[]): CutOffCount {
  const known = finishReasons.filter((each) => each !== 'unknown');
  return withShare(known.filter(isCutOff).length, known.length);
}

/** The counts of two sets of debates together. */
export function addCutOff(a: CutOff, b: CutOff): CutOff {
  const add = (x: CutOffCount, y: CutOffCount) => withShare(x.cut + y.cut, x.of + y.of);
  return { responses: add(a.responses, b.responses), summaries: add(a.summaries, b.summaries) };
}

function withShare(cut: number, of: number): CutOffCount {
  return { cut, of, share: of === 0 ? null : cut / of };
}
