import { z } from 'zod';
import { withoutKey } from './api-key.ts';
import type { ExchangeAnswer } from './exchange.ts';

/** What a server says about an error, on one line of at most 500 characters, whichever of the usual shapes it uses; no key. */
export function serverWords(answer: ExchangeAnswer, key: string | undefined): string {
  if (answer.location !== undefined && answer.status < 400) {
    return withoutKey(`moved to ${answer.location}; use that URL`, key);
  }
  // The key goes before the text is cut, lest half of it stay.
  const words = withoutKey(messageIn(answer.text) ?? answer.text, key)
    .replace(/\s+/g, ' ')
    .trim();
  return words === '' ? '(no words)' : words.slice(0, 500);
}

/** OpenAI and vLLM: `{error: {message, code}}`; older vLLM: `{message}`; FastAPI: `{detail}`; some: `{error: text}`. */
const errorSchema = z.union([
  z
    .object({ error: z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }) })
    .transform(({ error }) =>
      typeof error.code === 'string' ? `${error.message} (${error.code})` : error.message,
    ),
  z.object({ error: z.string() }).transform(({ error }) => error),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
]);

function messageIn(text: string): string | undefined {
  try {
    return errorSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
