import { ngramEmbedding } from '../algorithm/measures/ngram-embedding.ts';
import type { Endpoints } from '../engines/endpoints.ts';
import { reportedTurn } from './reported-turn.ts';

/** What makes responses into vectors: our own n-grams, or a sentence encoder at an endpoint. */
export type EncoderName = 'ngrams' | { readonly endpoint: string; readonly model: string };

export type ResponseEncoder = {
  /** As it is told to people. */
  readonly name: string;
  readonly encode: (texts: readonly string[], signal: AbortSignal) => Promise<readonly ArrayLike<number>[]>;
};

/** A blank response is a vector of zeros, whatever the encoder: servers refuse to embed one. */
export function responseEncoder(encoder: EncoderName, endpoints: Endpoints): ResponseEncoder {
  if (encoder === 'ngrams') return { name: encoder, encode: async (texts) => texts.map(ngramEmbedding) };
  const endpoint = endpoints.get(encoder.endpoint, encoder.model);
  return {
    name: encoder.model,
    encode: async (texts, signal) => {
      const spoken = texts.filter((text) => text.trim() !== '');
      if (spoken.length === 0) return texts.map(() => [0]);
      const vectors = await reportedTurn(endpoint, encoder.endpoint, signal, () =>
        endpoint.embed(spoken, signal),
      );
      const zeros = vectors[0]?.map(() => 0) ?? [];
      return texts.map((text) => vectors[spoken.indexOf(text)] ?? zeros);
    },
  };
}
