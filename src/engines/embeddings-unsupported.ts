/** A sentence encoder is wanted where there is none. */
export class EmbeddingsUnsupported extends Error {
  override name = 'EmbeddingsUnsupported' as const;

  constructor(model: string) {
    super(
      `The embedded engine answers chats and makes no embeddings, so ${model} cannot be its sentence encoder. ` +
        `Name an endpoint of kind vllm or openai that serves it, or use the encoder ngrams.`,
    );
  }
}
