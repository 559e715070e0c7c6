/** An engine in the test's own process, whose every answer the test decides; adapters and their canaries as vLLM has them. */
import type { ServerResponse } from 'node:http';
import { type Asked, completion, json, serve, type TestServer } from '../engines/fixtures/http-server.ts';

export type Question = {
  readonly text: string;
  /** What the last message of the chat asks. */
  readonly last: string;
  readonly asked: Asked;
  /** 1 the first question that this engine was asked. */
  readonly count: number;
};

/** @param say the answer's text, which is cut off when it says so; undefined when it has answered by `response` itself */
export async function startScriptedEngine(
  say: (
    question: Question,
    response: ServerResponse,
  ) => string | { readonly text: string; readonly finishReason: string } | undefined,
): Promise<TestServer> {
  let count = 0;
  return serve((response, asked) => {
    const { model, messages } = asked.body as { model?: string; messages?: { content: string }[] };
    if (asked.path.endsWith('/models')) return json(response, { data: [{ id: 'instant' }] });
    if (messages === undefined) return json(response, {});
    if ('prompt_logprobs' in asked.body) {
      // Each adapter has another one: that it is loaded can be seen.
      const logprob = -Number(BigInt(`0x${Buffer.from(String(model)).toString('hex')}`) % 997n);
      return json(response, { ...completion(''), prompt_logprobs: [null, { 1: { logprob } }] });
    }
    count += 1;
    const question = { text: messages[0]?.content ?? '', last: messages.at(-1)?.content ?? '', asked, count };
    const answer = say(question, response);
    if (answer === undefined) return;
    const { text, finishReason } =
      typeof answer === 'string' ? { text: answer, finishReason: 'stop' } : answer;
    json(response, { ...completion(text, finishReason), model });
  });
}
