/** What every endpoint must do, whatever its kind. Run on an engine with the embedded model. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChatCompletion } from '../../src/engines/endpoint/chat-client.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import { adapterNamed, baseNamed, modelNamed } from '../support/models.ts';
import { embeddedModel, makeAdapter } from './fixtures/adapter.ts';

export interface ContractCase {
  readonly kind: string;
  readonly open: () => Promise<Endpoint>;
  /** Whether it can answer with fine-tuned models. */
  readonly adapters: boolean;
  /** Whether its server uses the worker's own device, on which fine-tunes run too. */
  readonly sharesDevice: boolean;
  /** Has the server forget an adapter, as if it had started again. */
  readonly forgetAdapter: (name: string) => Promise<void>;
  /** How long its server may take to start. Milliseconds; 2 minutes by default. */
  readonly startMs?: number;
  /** To how many decimals its log-probabilities are those of transformers in double precision; 5 by default. */
  readonly decimals?: number;
}

const { signal } = new AbortController();
const base = modelNamed(embeddedModel);

function request(seed: number, maxTokens = 24): Parameters<Endpoint['chat']>[1] {
  const messages = [{ role: 'user', content: '12+3*8-5' }] as const;
  return { messages, seed, temperature: 1, top_p: 0.9, max_tokens: maxTokens };
}

/**
 * The expected scores: transformers 5.23.0, AutoModelForCausalLM.from_pretrained(embeddedModel).double(), before =
 * apply_chat_template(messages, add_generation_prompt=True), own = tokenizer(response).input_ids, the sum of
 * log_softmax(network(before + own).logits)[len(before) + i - 1, own[i]].
 */
const toScore = {
  messages: [{ role: 'user', content: '12+3*8-5' }],
  responses: ['3*8=24;12+24=36;36-5=31;\\boxed{31}', '\\boxed{30}', ' \n'],
} as const;

export function endpointContract({
  kind,
  open,
  adapters,
  sharesDevice,
  forgetAdapter,
  startMs = 120_000,
  decimals = 5,
}: ContractCase): void {
  describe(`an endpoint of kind ${kind}`, () => {
    let endpoint: Endpoint;
    beforeAll(async () => {
      endpoint = await open();
      await endpoint.check();
    }, startMs);
    afterAll(() => endpoint.close());

    const answer = (seed: number): Promise<ChatCompletion> => endpoint.chat(base, request(seed), signal);

    it('answers with text, and counts the tokens', async () => {
      const { text, promptTokens, completionTokens } = await answer(1);
      expect(text).toMatch(/[0-9]/);
      expect(promptTokens).toBeGreaterThan(8);
      expect(completionTokens).toBeGreaterThan(0);
    });

    it('says when an answer was cut off', async () => {
      const { finishReason, completionTokens } = await endpoint.chat(base, request(1, 2), signal);
      expect({ finishReason, completionTokens }).toEqual({ finishReason: 'length', completionTokens: 2 });
    });

    it('gives a seed the same answer, alone or among others', async () => {
      const seeds = Array.from({ length: 12 }, (_, index) => index);
      const together = await Promise.all(seeds.map(answer));
      expect(await answer(5)).toEqual(together[5]);
      expect(new Set(together.map(({ text }) => text)).size).toBeGreaterThan(1);
    });

    it('refuses a prompt that is too long, in the words of the server', async () => {
      const long = { ...request(1), messages: [{ role: 'user', content: '1+'.repeat(5_000) }] as const };
      await expect(endpoint.chat(base, long, signal)).rejects.toMatchObject({
        name: 'EngineRefused',
        status: 400,
      });
    });

    it('throws the reason of an abort', async () => {
      const abort = new AbortController();
      const answering = endpoint.chat(base, request(1, 200), abort.signal);
      abort.abort(new Error('the worker stops'));
      await expect(answering).rejects.toThrow('the worker stops');
    });

    it.skipIf(adapters)('says that it cannot tell how likely a response is', async () => {
      await expect(endpoint.score(base, toScore, signal)).rejects.toMatchObject({
        name: 'PromptLogprobsUnsupported',
        message: expect.stringContaining('kind local or vllm'),
      });
    });

    it.skipIf(!adapters)('finds responses as likely as transformers does', async () => {
      const [right, wrong, blank] = await endpoint.score(base, toScore, signal);
      expect(right!.tokens).toBe(28);
      expect(right!.logprob).toBeCloseTo(-0.6009403036230958, decimals);
      expect(wrong!.tokens).toBe(4);
      expect(wrong!.logprob).toBeCloseTo(-31.106161231786594, decimals);
      expect(blank).toEqual({ tokens: 0, logprob: 0 });
    });

    it.skipIf(!adapters)('finds a response after other turns as likely as transformers does', async () => {
      const messages = [
        ...toScore.messages,
        { role: 'assistant', content: '\\boxed{31}' },
        { role: 'user', content: '1+1' },
      ] as const;
      const [second] = await endpoint.score(base, { messages, responses: ['\\boxed{2}'] }, signal);
      expect(second!.tokens).toBe(3);
      expect(second!.logprob).toBeCloseTo(-30.438617336039638, decimals);
    });

    it.skipIf(!adapters)('finds a response otherwise likely with an adapter', async () => {
      const [byBase] = await endpoint.score(base, toScore, signal);
      const [byAdapter] = await endpoint.score(makeAdapter('9', 3), toScore, signal);
      expect(byAdapter!.tokens).toBe(byBase!.tokens);
      expect(byAdapter!.logprob).not.toBeCloseTo(byBase!.logprob, 3);
    });

    it('has room for more than one request at once', () => {
      expect(endpoint.slots.count).toBeGreaterThan(1);
    });

    const inASlot = (seed: number): Promise<ChatCompletion> => endpoint.slots.use(() => answer(seed), signal);

    it.skipIf(!sharesDevice)('lets no answer begin while a fine-tune has the device', async () => {
      let first: Promise<ChatCompletion> | undefined;
      await new Promise<void>((resolve) => {
        first = endpoint.slots.use(() => (resolve(), answer(1)), signal);
      });
      await endpoint.yieldDevice(false);
      let begun = false;
      const second = endpoint.slots.use(async () => {
        begun = true;
        return answer(2);
      }, signal);
      // The first has ended before the device was free; the second does not begin.
      expect((await first)?.text).not.toBe('');
      await new Promise((resolve) => setImmediate(resolve));
      expect(begun).toBe(false);
      await endpoint.takeDevice();
      expect((await second).text).not.toBe('');
    });

    it.skipIf(sharesDevice)('goes on answering while a fine-tune has the device of this worker', async () => {
      await endpoint.yieldDevice(false);
      expect((await inASlot(1)).text).not.toBe('');
      await endpoint.takeDevice();
    });

    it.skipIf(adapters)('says that it cannot answer with fine-tuned models', async () => {
      const adapter = makeAdapter('a', 3);
      await expect(endpoint.serve([base, adapter], signal)).rejects.toThrow(/kind local or vllm/);
      await expect(endpoint.chat(adapter, request(1), signal)).rejects.toMatchObject({
        name: 'AdaptersUnsupported',
      });
    });

    it.skipIf(!adapters)('answers with an adapter as it answers with no other model', async () => {
      const models = [base, makeAdapter('b', 3), makeAdapter('c', -3)];
      await endpoint.serve(models, signal);
      const texts = await Promise.all(
        models.map(async (model) => {
          const answers = await Promise.all(
            [1, 2, 3].map((seed) => endpoint.chat(model, request(seed), signal)),
          );
          return answers.map(({ text }) => text).join('|');
        }),
      );
      expect(new Set(texts).size).toBe(3);
    });

    it.skipIf(!adapters)(
      'loads an adapter by itself, and again when the server has forgotten it',
      async () => {
        const adapter = makeAdapter('d', 3);
        const first = await endpoint.chat(adapter, request(1), signal);
        await forgetAdapter(`colloquy-${'d'.repeat(16)}`);
        const again = await Promise.all(
          [1, 1, 1].map((seed) => endpoint.chat(adapter, request(seed), signal)),
        );
        expect(again).toEqual([first, first, first]);
      },
    );

    it.skipIf(!adapters)('takes an adapter that training left as it was for what it is', async () => {
      const untrained = makeAdapter('e', 0);
      await endpoint.serve([untrained], signal);
      expect(await endpoint.chat(untrained, request(3), signal)).toEqual(await answer(3));
    });

    it.skipIf(!adapters)('refuses an adapter that is not there, in the words of the server', async () => {
      const missing = adapterNamed('f', baseNamed(embeddedModel));
      await expect(endpoint.serve([missing], signal)).rejects.toMatchObject({
        name: 'AdapterNotLoaded',
        status: 404,
      });
    });
  });
}
