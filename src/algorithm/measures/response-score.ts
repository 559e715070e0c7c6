/** How likely a model finds a response, given the messages before it. */
export type ResponseScore = {
  /** How many tokens the response has; 0 for an empty one. */
  readonly tokens: number;
  /** The natural logarithm of the response's probability: the sum over its tokens, in nats. */
  readonly logprob: number;
};

/** Of the logprobs of a response's tokens, each given all before it. */
export function responseScore(logprobs: readonly number[]): ResponseScore {
  return { tokens: logprobs.length, logprob: logprobs.reduce((sum, each) => sum + each, 0) };
}

/** By agent i, then by agent j: what i's model thinks of j's response to the same question. */
export type CrossScores = readonly (readonly ResponseScore[])[];
