/** vLLM's sleep mode, level 1: weights go to the host's memory, and the cache is given up, so that a fine-tune can have the device. */
import { createChatClient } from '../endpoint/chat-client.ts';

/** A server that may sleep. */
export type Sleeper = {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
  readonly model: string;
};

/** Moving tens of gigabytes to the host's memory takes seconds; more than this is a fault. Milliseconds. */
const longestMs = 300_000;

/** @returns what the server answers before it sleeps, to be compared by `wakeUp`; undefined when it cannot sleep */
export async function fallAsleep(server: Sleeper): Promise<string | undefined> {
  try {
    const answer = await greedyAnswer(server);
    return (await post(server, '/sleep?level=1')) ? answer : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Wakes the server up. Some versions of vLLM answer with other weights afterwards, so it has to answer as before.
 *
 * @returns false when it does not wake up, or answers otherwise than before
 */
export async function wakeUp(server: Sleeper, before: string): Promise<boolean> {
  try {
    return (await post(server, '/wake_up')) && (await greedyAnswer(server)) === before;
  } catch {
    return false;
  }
}

async function post({ url }: Sleeper, path: string): Promise<boolean> {
  const address = new URL(path, url);
  const { ok } = await fetch(address, { method: 'POST', signal: AbortSignal.timeout(longestMs) });
  return ok;
}

async function greedyAnswer({ url, model }: Sleeper): Promise<string> {
  const client = createChatClient({ url, timeoutMs: longestMs });
  try {
    const messages = [{ role: 'user', content: '12+3*8-5' }] as const;
    const request = { model, messages, seed: 0, temperature: 0, top_p: 1, max_tokens: 16 };
    return (await client.complete(request, new AbortController().signal)).text;
  } finally {
    client.close();
  }
}
