import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startChild } from './child.ts';

export type Fire = {
  /** Of the chat completions: `http://127.0.0.1:PORT/v1/chat/completions`. */
  readonly url: string;
  readonly model: string;
  /** A file with an array of requests. */
  readonly requests: string;
  /** Requests in flight, from the first to the last. */
  readonly concurrency: number;
  readonly client: 'axios' | 'node:http';
};

const firedSchema = z.object({
  answers: z.number(),
  seconds: z.number(),
  /** CPU milliseconds of the process that fired. */
  cpuMs: z.number(),
  completionTokens: z.number(),
});
export type Fired = z.infer<typeof firedSchema>;

export type Direct = AsyncDisposable & { readonly fire: (fire: Fire) => Promise<Fired> };

/** The measure that the pipeline is held against: a bare loop over the same requests, each as soon as another was answered. */
export async function startDirect(): Promise<Direct> {
  const child = await startChild(fileURLToPath(new URL('./direct-main.ts', import.meta.url)), []);
  return {
    fire: async (fire) => firedSchema.parse(await child.ask('fire', fire)),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
