/** An experiment wants a fine-tuned model to answer where only the base model can. */
export class AdaptersUnsupported extends Error {
  override name = 'AdaptersUnsupported' as const;

  constructor(url: string) {
    super(
      `${url} is an endpoint of kind openai, which cannot load fine-tuned models. ` +
        `Use an endpoint of kind local or vllm, or set iterations to 0.`,
    );
  }
}
