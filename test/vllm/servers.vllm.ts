/**
 * A real server that somebody else has started, at the address that COLLOQUY_TEST_SERVER names: what Colloquy relies on, and what such a server
 * does otherwise. COLLOQUY_TEST_KIND is `vllm` (default) or `openai`; COLLOQUY_TEST_MODEL is its name of the embedded model.
 *
 * Started with few slots (`--max-loras 2`), a short context (`--max-model-len 512`) and without `--lora-target-modules`, vLLM's CPU build
 * shows all of its faults here.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createChatClient } from '../../src/engines/endpoint/chat-client.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import type { Shortcoming } from '../../src/engines/endpoint/examination.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { isTooLong } from '../../src/engines/endpoint/refusals.ts';
import { embeddedModel, makeAdapter, modelFolder } from '../engines/fixtures/adapter.ts';
import { modelNamed } from '../support/models.ts';

const url = process.env['COLLOQUY_TEST_SERVER'];
const kind = process.env['COLLOQUY_TEST_KIND'] === 'openai' ? 'openai' : 'vllm';
const model = process.env['COLLOQUY_TEST_MODEL'] ?? embeddedModel;

const { signal } = new AbortController();
const base = modelNamed(model);
const messages = [{ role: 'user', content: '12+3*8-5' }] as const;

function request(seed: number, maxTokens = 24): Parameters<Endpoint['chat']>[1] {
  return { messages, seed, temperature: 1, top_p: 0.9, max_tokens: maxTokens };
}

/** For the person who runs this. */
function say(lacks: readonly Shortcoming[], nothing: string): void {
  const lines = lacks.map(({ says, remedy }) => `${says}\n  ${remedy}\n`);
  process.stdout.write(lines.length > 0 ? lines.join('') : `${nothing}\n`);
}

describe.skipIf(url === undefined)(`a server of kind ${kind} at ${url}`, () => {
  const logFolder = mkdtempSync(join(tmpdir(), 'colloquy-servers-'));
  const open = () => openEndpoint({ kind, url: url ?? '' }, model, { logFolder, modelFolder });
  const endpoint = open();
  afterAll(() => endpoint.close());

  it('serves the model', async () => {
    await endpoint.check(signal);
  });

  it('lacks nothing that is relied on, or it is said what', async () => {
    const longest = {
      messages: [
        ...messages,
        { role: 'assistant', content: '\\boxed{31}' },
        { role: 'user', content: '?\\boxed{30}' },
      ] as const,
      answers: 3,
    };
    const lacks = await endpoint.examine(
      { maxTokens: 64, longest, scores: kind === 'vllm', template: {} },
      signal,
    );
    say(lacks, 'It lacks nothing.');
    for (const { remedy } of lacks) expect(remedy).not.toBe('');
  });

  it('answers, and counts what it answers', async () => {
    const { text, finishReason, completionTokens } = await endpoint.chat(base, request(1, 4), signal);
    expect({ finishReason, completionTokens }).toEqual({ finishReason: 'length', completionTokens: 4 });
    expect(text).not.toBe('');
  });

  it('takes no answer that the context cuts off', async ({ skip }) => {
    const client = createChatClient({ url: new URL('/v1', url).href });
    const context = (await client.listModels(signal)).find(({ id }) => id === model)?.context;
    client.close();
    if (context === undefined || context === null) {
      skip('it does not say how long its context is');
      return;
    }
    // A prompt that leaves room for some 20 tokens, and one that leaves none.
    for (const length of [context - 22, context + 22]) {
      const content = '1+'.repeat(length / 2);
      const error: unknown = await endpoint
        .chat(base, { ...request(1, 64), messages: [{ role: 'user', content }] }, signal)
        .then(
          ({ finishReason }) => finishReason,
          (thrown: unknown) => thrown,
        );
      expect((length < context && error === 'stop') || isTooLong(error)).toBe(true);
    }
  });

  it.skipIf(kind !== 'vllm')('says of a made-up adapter whether its slots are enough', async () => {
    makeAdapter('1', 3);
    const lacks = await endpoint.tryAdapter(await modelFolder('1'.repeat(64)), 2, signal);
    say(lacks, 'It has slots enough.');
  });

  it.skipIf(kind !== 'vllm')('answers the base model as itself beside adapters in all slots', async () => {
    const fresh = open();
    try {
      const alone = await Promise.all([1, 2, 3].map((seed) => fresh.chat(base, request(seed), signal)));
      const adapters = [makeAdapter('2', 3), makeAdapter('3', -3), makeAdapter('4', 2)];
      await fresh.serve([base, ...adapters], signal);
      for (let round = 0; round < 5; round += 1) {
        const [first, second, third] = await Promise.all([
          ...[1, 2, 3].map((seed) => fresh.chat(base, request(seed), signal)),
          ...adapters.flatMap((adapter) => [1, 2].map((seed) => fresh.chat(adapter, request(seed), signal))),
        ]);
        expect([first, second, third].map((each) => each?.text)).toEqual(alone.map(({ text }) => text));
      }
    } finally {
      await fresh.close();
    }
  });

  it.skipIf(kind !== 'vllm')('survives the likelihoods of responses beside answers of adapters', async () => {
    const adapters = [makeAdapter('5', 3), makeAdapter('6', -3)];
    await endpoint.serve(adapters, signal);
    const toScore = { messages, responses: ['3*8=24;12+24=36;36-5=31;\\boxed{31}', '\\boxed{30}'] };
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([
        ...[base, ...adapters].map((each) => endpoint.score(each, toScore, signal)),
        ...[base, ...adapters].flatMap((each) =>
          [1, 2].map((seed) => endpoint.chat(each, request(seed), signal)),
        ),
      ]);
    }
    const [right] = await endpoint.score(base, toScore, signal);
    // As transformers finds it (test/engines/endpoint.contract.ts); vLLM may compute in bfloat16.
    expect(right?.logprob).toBeCloseTo(-0.6, 0);
  });

  it('gives a seed its own answer, asked alone', async () => {
    const first = await endpoint.chat(base, request(1), signal);
    await endpoint.chat(base, request(2), signal);
    expect((await endpoint.chat(base, request(1), signal)).text).toBe(first.text);
  });
});
