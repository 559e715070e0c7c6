/** Texts as vectors, by OpenAI's POST /v1/embeddings, which vLLM has too. */
import { z } from 'zod';
import type { ChatClient, OnBusy } from './chat-client.ts';

/**
 * The embedding of each text, in the order of the texts.
 *
 * @param model the server's name for the sentence encoder
 * @param texts few and not blank: they are sent as one request, which servers limit (OpenAI to 2,048 texts)
 * @throws the chat client's errors
 */
export async function embedTexts(
  client: ChatClient,
  model: string,
  texts: readonly string[],
  signal: AbortSignal,
  onBusy?: OnBusy,
): Promise<number[][]> {
  const body = { model, input: texts, encoding_format: 'float' };
  const schema = z.object({ data: z.array(embeddingSchema).length(texts.length) });
  const { data } = await client.post('/embeddings', body, schema, signal, onBusy);
  return data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => embedding);
}

const embeddingSchema = z.object({ index: z.number(), embedding: z.array(z.number()).min(1) });
