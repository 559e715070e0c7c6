/** A measure wants to know how likely a model finds a given text, where only sampled answers come. */
export class PromptLogprobsUnsupported extends Error {
  override name = 'PromptLogprobsUnsupported' as const;
  readonly url: string;

  constructor(url: string) {
    super(
      `${url} does not tell how likely the tokens of a prompt are (prompt_logprobs), so the likelihood of others' answers and ` +
        `the divergence of models cannot be measured there. Use an endpoint of kind local or vllm for them.`,
    );
    this.url = url;
  }
}
