/** What vLLM does otherwise than one would think, each case against a small server that behaves as vLLM 0.32 was seen to. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import { openEndpoint } from '../../src/engines/endpoint/open.ts';
import { isTooLong } from '../../src/engines/endpoint/refusals.ts';
import { onEvent } from '../../src/observe/events.ts';
import type { Model } from '../../src/store/models.ts';
import { errorOf } from '../support/error-of.ts';
import { adapterNamed, modelNamed } from '../support/models.ts';
import { completion, json, serve } from './fixtures/http-server.ts';
import {
  baseName,
  type Body,
  startVllm,
  type VllmServer,
  type VllmSettings,
} from './fixtures/vllm-server.ts';

const { signal } = new AbortController();
const base = modelNamed(baseName);
const adapters = ['a', 'b'].map((digit) => adapterNamed(digit, base.base));
const opened: Endpoint[] = [];

async function vllm(settings: VllmSettings = {}): Promise<{ server: VllmServer; endpoint: Endpoint }> {
  const server = await startVllm(settings);
  return { server, endpoint: endpointAt(server.url) };
}

function endpointAt(url: string): Endpoint {
  const modelFolder = async (key: string) => `/store/models/${key}`;
  const endpoint = openEndpoint({ kind: 'vllm', url }, baseName, { logFolder: '/nowhere', modelFolder });
  opened.push(endpoint);
  return endpoint;
}

afterEach(async () => {
  for (const endpoint of opened.splice(0)) await endpoint.close();
});

function request(maxTokens = 25, content = 'What?'): Parameters<Endpoint['chat']>[1] {
  return { messages: [{ role: 'user', content }], seed: 1, temperature: 1, top_p: 1, max_tokens: maxTokens };
}

describe('the base model beside adapters', () => {
  const together: readonly Model[] = [adapters[0]!, base, adapters[1]!, base, base];
  const answerAll = (endpoint: Endpoint) =>
    Promise.all(together.map(async (model) => (await endpoint.chat(model, request(), signal)).text));
  const theirOwn = together.map(({ tuned }) =>
    (tuned === null ? `${baseName} says: so so so so so so` : `colloquy-${tuned.key.slice(0, 16)}`).slice(
      0,
      25,
    ),
  );

  it('answers as itself where all slots are taken, because the two take turns there', async () => {
    const found: string[] = [];
    onEvent('base model beside adapters', ({ answeredBy }) => found.push(answeredBy));
    const { server, endpoint } = await vllm({ cpu: true, slots: 2 });
    await using _ = server;
    await endpoint.serve(adapters, signal);
    expect(await answerAll(endpoint)).toEqual(theirOwn);
    // The two adapters are loaded at once: the one that came last has the last slot.
    expect(found).toEqual([[...server.adapters.keys()].at(-1)]);
  });

  it('is found out when the slots have filled up, iterations after the first', async () => {
    const { server, endpoint } = await vllm({ cpu: true, slots: 3 });
    await using _ = server;
    await endpoint.serve(adapters, signal);
    expect(await answerAll(endpoint)).toEqual(theirOwn);
    // Two more adapters, and now each slot has one: unloading does not empty a slot.
    await endpoint.serve(
      ['c', 'd'].map((digit) => adapterNamed(digit, base.base)),
      signal,
    );
    expect(await answerAll(endpoint)).toEqual(theirOwn);
  });

  it('is asked beside them where the server does it right', async () => {
    const { server, endpoint } = await vllm({ slots: 2 });
    await using _ = server;
    await endpoint.serve(adapters, signal);
    expect(await answerAll(endpoint)).toEqual(theirOwn);
  });

  it('is proved once for all steps that begin with the same adapters', async () => {
    const { server, endpoint } = await vllm();
    await using _ = server;
    await Promise.all(Array.from({ length: 5 }, () => endpoint.serve(adapters, signal)));
    await endpoint.serve(adapters, signal);
    // Whether the server finds adapters by itself; each adapter alone, the base model alone for their proof and beside them, and four
    // together.
    expect(server.count('chat/completions')).toBe(9);
  });

  it('that was answered by an adapter does not condemn that adapter: the proof is taken again', async () => {
    let asked = 0;
    await using server = await serve((response, { path, body }) => {
      if (path !== '/v1/chat/completions') return json(response, {});
      const model = String(body['model']);
      asked += 1;
      // Another worker's adapter was in the batch when the base model was asked for the first time.
      const answering = model === baseName && asked === 2 ? 'colloquy-aaaaaaaaaaaaaaaa' : model;
      const logprobs = { content: [{ token: '1', logprob: -answering.length, top_logprobs: [] }] };
      json(response, {
        choices: [{ message: { content: '1' }, finish_reason: 'length', logprobs }],
        usage: { prompt_tokens: 9, completion_tokens: 16 },
      });
    });
    await endpointAt(server.url).serve([adapters[0]!], signal);
    expect(asked).toBeGreaterThan(3);
  });

  it('without log-probabilities is told from adapters by its words alone, and equal words prove nothing', async () => {
    await using server = await serve((response, { path }) =>
      json(response, path === '/v1/chat/completions' ? completion('31') : {}),
    );
    await endpointAt(server.url).serve(adapters, signal);
  });
});

describe('an adapter that vLLM does not load', () => {
  it.each<[string, VllmSettings, RegExp]>([
    ['because it has no --enable-lora', { lora: false }, /LoRA is not enabled.*Start it with --enable-lora/],
    [
      'because its rank is greater than --max-lora-rank',
      { greatestRank: 8, rankOf: () => 24 },
      /LoRA rank 24 is greater than max_lora_rank 8.*--max-lora-rank 32, or choose a smaller fine_tune.lora_r/,
    ],
    [
      'because adapters cannot be loaded while it runs',
      { updating: false },
      /404.*VLLM_ALLOW_RUNTIME_LORA_UPDATING=True/,
    ],
    [
      'because it was trained on another base model',
      {
        refusesLoads: [
          500,
          "Call to add_lora method failed: Worker failed with error 'The size of tensor a (160) must match the size of tensor b (320) at non-singleton dimension 1', please check the stack trace above for the root cause",
        ],
      },
      /belongs to another base model/,
    ],
    [
      'because it does not see the folder of the worker',
      { refusesLoads: [404, 'Loading lora colloquy-aaaaaaaaaaaaaaaa failed: No adapter found for <path>'] },
      /looks for the folder \/store\/models\/a{64} on its own machine/,
    ],
    [
      'for a reason that only its log has',
      { refusesLoads: [500, 'Call to add_lora method failed: Worker failed with error KeyError'] },
      /The log of the server has the cause/,
    ],
  ])('%s is refused at once, with what to do', async (_, settings, message) => {
    const { server, endpoint } = await vllm(settings);
    await using __ = server;
    await expect(endpoint.serve(adapters.slice(0, 1), signal)).rejects.toMatchObject({
      name: 'AdapterNotLoaded',
      retryable: false,
      message: expect.stringMatching(message),
    });
    expect(server.count('load_lora_adapter')).toBe(1);
  });

  it('because of a disk that is away for a moment is tried again', async () => {
    const { server, endpoint } = await vllm({ failsToLoad: 1 });
    await using _ = server;
    await expect(endpoint.serve(adapters.slice(0, 1), signal)).rejects.toMatchObject({ retryable: true });
    await endpoint.serve(adapters.slice(0, 1), signal);
  });

  it('because no key was sent says how to give one, and asks for no other key', async () => {
    const { server, endpoint } = await vllm({ key: 'sesame' });
    await using _ = server;
    const told = await endpoint.check().catch((error: Error) => error.message);
    expect(told).toContain('api_key_env');
    expect(told).not.toContain('right one');
  });
});

describe('a vLLM that finds adapters by their names', () => {
  it('is never told to load one, neither an adapter of an experiment nor a made-up one', async () => {
    const { server, endpoint } = await vllm({ resolves: (name) => name.startsWith('colloquy-') });
    await using _ = server;
    expect(await endpoint.tryAdapter('/store/models/trial-1', 6, signal)).toEqual([]);
    expect(server.adapters.size).toBe(0);
    await endpoint.serve(adapters, signal);
    expect((await endpoint.chat(adapters[0]!, request(), signal)).text).toBe(`colloquy-${'a'.repeat(16)}`);
    expect(server.count('load_lora_adapter')).toBe(0);
  });

  it('and refuses one is not told to load it all the same; later it may have it', async () => {
    const { server, endpoint } = await vllm({ resolves: (name) => !name.includes('aaaa') });
    await using _ = server;
    await expect(endpoint.serve(adapters, signal)).rejects.toMatchObject({
      name: 'AdapterNotFound',
      retryable: true,
      message: expect.stringMatching(/answered 404: The model `colloquy-a+` does not exist.*COLLOQUY_STORE/),
    });
    expect(server.count('load_lora_adapter')).toBe(0);
    await server.kill();
    await server.start({ resolves: () => true });
    await endpoint.serve(adapters, signal);
  });
});

describe('a made-up adapter', () => {
  const trial = '/store/models/trial-1';

  it('is loaded as often as there will be models, asked and unloaded again', async () => {
    const { server, endpoint } = await vllm();
    await using _ = server;
    expect(await endpoint.tryAdapter(trial, 6, signal)).toEqual([]);
    const names = (path: string) =>
      server.asked.filter((each) => each.path === `/v1/${path}`).map(({ body }) => body['lora_name']);
    expect(names('load_lora_adapter')).toHaveLength(6);
    expect(names('unload_lora_adapter')).toEqual(names('load_lora_adapter'));
    expect(server.adapters.size).toBe(0);
  });

  it.each<[string, VllmSettings, RegExp[]]>([
    ['the base model is answered by an adapter', { cpu: true, slots: 6 }, [/asked in turn/]],
    ['there are fewer slots than models', { slots: 2 }, [/room for 2 adapters.*6 models/]],
    ['both', { cpu: true, slots: 2 }, [/room for 2 adapters/, /asked in turn/]],
    ['neither, with a slot for the base model', { cpu: true, slots: 7 }, []],
  ])('finds whether %s, and says which flag to set', async (_, settings, messages) => {
    const { server, endpoint } = await vllm(settings);
    await using __ = server;
    const found = await endpoint.tryAdapter(trial, 6, signal);
    expect(found.map(({ says }) => says)).toEqual(messages.map((each) => expect.stringMatching(each)));
    for (const { remedy } of found) expect(remedy).toContain('--max-loras 7');
  });

  it('is tried for each kind of module alone, as a server may ignore some', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'colloquy-trial-'));
    for (const module of ['k_proj', 'o_proj', 'q_proj']) {
      mkdirSync(join(folder, 'parts', module), { recursive: true });
      writeFileSync(join(folder, 'parts', module, 'adapter_config.json'), '{}');
    }
    const { server, endpoint } = await vllm({ ignoresAdapters: /parts\/[ko]_proj$/ });
    await using _ = server;
    const error = await errorOf(endpoint.tryAdapter(folder, 2, signal));
    expect(error).toMatchObject({ name: 'ModulesIgnored', retryable: false });
    expect(error.message).toMatch(/in k_proj, o_proj: .*--lora-target-modules k_proj o_proj q_proj/);
    expect(server.adapters.size).toBe(0);
  });

  it('that is ignored is found out before any model is trained, and is unloaded too', async () => {
    const { server, endpoint } = await vllm({ ignoresAdapters: /./ });
    await using _ = server;
    await expect(endpoint.tryAdapter(trial, 2, signal)).rejects.toMatchObject({
      name: 'AdapterWithoutEffect',
    });
    expect(server.adapters.size).toBe(0);
  });
});

describe('an answer that the context cuts off', () => {
  it('is none: its prompt is too long', async () => {
    const { server, endpoint } = await vllm({ context: 40 });
    await using _ = server;
    const error: unknown = await endpoint
      .chat(base, request(25, 'x'.repeat(26)), signal)
      .catch((thrown: unknown) => thrown);
    expect(isTooLong(error)).toBe(true);
    expect(error).toMatchObject({
      name: 'ContextFull',
      words: 'the answer was cut off after 13 of 25 tokens, as the prompt of 27 tokens left no more room.',
    });
  });

  it('is told from one that max_tokens cuts off, and from one that its end just fits in', async () => {
    const { server, endpoint } = await vllm({ context: 40 });
    await using _ = server;
    const cut = await endpoint.chat(base, request(25, 'x'.repeat(14)), signal);
    expect(cut).toMatchObject({ finishReason: 'length', completionTokens: 25 });
  });

  it('may have spent its tokens on reasoning that a service counts in the total alone', async () => {
    const counts = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 37 };
    await using server = await serve((response) =>
      json(response, { ...completion('\\boxed{31}', 'length'), usage: counts }),
    );
    const { finishReason } = await endpointAt(server.url).chat(base, request(25), signal);
    expect(finishReason).toBe('length');
  });
});

describe('the sampling of an experiment', () => {
  const neutral = {
    top_k: -1,
    min_p: 0,
    repetition_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
  };

  it('is complete in every request, so that generation_config.json of the model has no say', async () => {
    const { server, endpoint } = await vllm();
    await using _ = server;
    await endpoint.serve(adapters, signal);
    await endpoint.chat(base, request(), signal);
    await endpoint.score(base, { messages: request().messages, responses: ['1'] }, signal);
    const chats = server.asked.filter(({ path }) => path === '/v1/chat/completions');
    expect(chats.length).toBeGreaterThan(8);
    for (const { body } of chats) expect(body).toMatchObject(neutral);
  });

  it.each<[string, number, (unknown: readonly string[]) => object]>([
    [
      'names them',
      400,
      (unknown) => ({
        error: { message: `Unrecognized request arguments supplied: ${unknown.join(', ')}` },
      }),
    ],
    [
      'names one after the other',
      400,
      ([first]) => ({ error: { message: `Unknown parameter: '${first}'.` } }),
    ],
    [
      'lists them',
      422,
      (unknown) => ({
        detail: unknown.map((name) => ({ type: 'extra_forbidden', loc: ['body', name] })),
      }),
    ],
  ])('is sent without what a service refuses that %s', async (_, status, refusal) => {
    await using server = await serve((response, { body }) => {
      const unknown = ['top_k', 'min_p', 'repetition_penalty'].filter((name) => name in body);
      if (unknown.length === 0) return json(response, completion('31'));
      json(response, refusal(unknown), status);
    });
    const endpoint = endpointAt(server.url);
    expect((await endpoint.chat(base, request(), signal)).text).toBe('31');
    const before = server.asked.length;
    await endpoint.chat(base, request(), signal);
    expect(server.asked).toHaveLength(before + 1);
    expect(server.asked.at(-1)!.body).toMatchObject({
      presence_penalty: 0,
      frequency_penalty: 0,
      max_tokens: 25,
    });
  });
});

describe('the likelihoods of responses', () => {
  const toScore = { messages: request().messages, responses: ['1', '2'] };
  /** vLLM's CPU build with LoRA for `lm_head`: prompt_logprobs in one step with any adapter end it. */
  const fragile = (server: { readonly inFlight: readonly Body[] }): boolean =>
    server.inFlight.length > 1 &&
    server.inFlight.some((body) => 'prompt_logprobs' in body) &&
    server.inFlight.some(({ model }) => model !== baseName);

  it('are asked with no adapter beside them, so that the CPU build survives', async () => {
    const { server, endpoint } = await vllm({ diesWith: fragile });
    await using _ = server;
    await endpoint.serve(adapters, signal);
    await Promise.all([
      ...adapters.map((model) => endpoint.score(model, toScore, signal)),
      endpoint.score(base, toScore, signal),
      endpoint.score(base, toScore, signal),
      ...adapters.map((model) => endpoint.chat(model, request(), signal)),
      endpoint.chat(base, request(), signal),
    ]);
    expect(server.isDown()).toBe(false);
  });

  it('are asked beside everything else where vLLM has a GPU', async () => {
    let most = 0;
    const { server, endpoint } = await vllm({
      gpu: true,
      diesWith: ({ inFlight }) => {
        most = Math.max(most, inFlight.filter((body) => 'prompt_logprobs' in body).length);
        return false;
      },
    });
    await using _ = server;
    await endpoint.serve(adapters, signal);
    await Promise.all(adapters.map((model) => endpoint.score(model, toScore, signal)));
    expect(most).toBe(2);
  });
});

describe('adapters that are not needed any more', () => {
  it('are unloaded by name, also those that another program loaded, and those in use stay', async () => {
    const { server, endpoint } = await vllm();
    await using _ = server;
    server.adapters.set('colloquy-0123456789abcdef', '/of/an/earlier/worker');
    server.adapters.set('somebody-elses', '/of/another/program');
    // One after the other: the server lists them in the order in which they were loaded.
    for (const adapter of adapters) await endpoint.serve([adapter], signal);
    const seen: [string, boolean][] = [];
    await endpoint.unload(async (digits, loadedHere) => {
      seen.push([digits, loadedHere]);
      return !digits.startsWith('b');
    }, signal);
    expect(seen).toEqual([
      ['0123456789abcdef', false],
      ['a'.repeat(16), true],
      ['b'.repeat(16), true],
    ]);
    expect([...server.adapters.keys()]).toEqual(['somebody-elses', `colloquy-${'b'.repeat(16)}`]);
    // One that is needed all the same is loaded again.
    expect((await endpoint.chat(adapters[0]!, request(), signal)).text).toBe(`colloquy-${'a'.repeat(16)}`);
  });

  it('fail nothing where the server does not answer or refuses', async () => {
    const { server, endpoint } = await vllm({ updating: false });
    await using _ = server;
    server.adapters.set('colloquy-0123456789abcdef', '/of/an/earlier/worker');
    await endpoint.unload(async () => true, signal);
    await server.kill();
    await endpoint.unload(async () => true, signal);
  });
});
