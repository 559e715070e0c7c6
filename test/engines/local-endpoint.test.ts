/** The supervision of the engine, on a small real process that speaks its protocol. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Message } from '../../src/algorithm/agents.ts';
import type { Endpoint } from '../../src/engines/endpoint/endpoint.ts';
import { createEndpoints, type EndpointDeps, openEndpoint } from '../../src/engines/endpoint/open.ts';
import { createLocalEndpoint, localConcurrency } from '../../src/engines/endpoint/local.ts';
import { EngineClosed, OtherWeights, WholeModelsUnsupported } from '../../src/engines/errors.ts';
import type { EnginePool } from '../../src/engines/process/engine-pool.ts';
import { ModelNotServable } from '../../src/engines/process/engine-process.ts';
import { EngineDied } from '../../src/engines/process/supervisor.ts';
import { createLiveEngines, type LiveEnginesOptions } from '../../src/engines/process/live-engines.ts';
import { tunedModel, untuned } from '../../src/store/models.ts';
import { adapterNamed, baseNamed, modelNamed } from '../support/models.ts';
import type { Needs } from '../../src/engines/endpoint/examination.ts';
import { oneRequest } from './fixtures/http-server.ts';
import { groupAlive, groupGone } from './fixtures/processes.ts';
import { errorOf } from '../support/error-of.ts';

const program = fileURLToPath(new URL('./fixtures/engine.mjs', import.meta.url));
const { signal } = new AbortController();
const base = modelNamed('a/model');
const { model: _, ...request } = oneRequest;
const opened: Endpoint[] = [];

function supervised(behaviour: object = {}, options: EndpointDeps['engine'] = {}, live?: LiveEnginesOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'colloquy-engine-'));
  const startsFile = join(folder, 'starts');
  const command = [process.execPath, program, JSON.stringify({ ...behaviour, startsFile })] as const;
  const endpoint = openEndpoint({ kind: 'local' }, 'a/model', {
    logFolder: folder,
    modelFolder: async () => folder,
    engine: { command: [...command], graceMs: 200, ...options },
    engines: createLiveEngines(live),
  });
  opened.push(endpoint);
  const starts = (): number[] => readFileSync(startsFile, 'utf8').trim().split('\n').map(Number);
  return { endpoint, starts, startsFile };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((endpoint) => endpoint.close()));
});

const patience = { timeout: 20_000, interval: 5 };

describe('the engine processes of a local endpoint', () => {
  const pids = (answers: readonly { readonly text: string }[]) =>
    new Set(answers.map(({ text }) => Number(text)));
  /** The processes that answer so many conversations. */
  const ask = async (endpoint: Endpoint, count: number, model = base) => {
    const asked = Array.from({ length: count }, (_, index) => {
      const messages = [{ role: 'user' as const, content: `question ${index}` }];
      return endpoint.chat(model, { ...request, messages }, signal);
    });
    return pids(await Promise.all(asked));
  };

  /** With three processes, which are there once there was much to answer. */
  async function pooled(model = base) {
    const made = supervised({ memory: 1, answersWhen: 3 }, { pool: { most: () => 3, busyMs: 1 } });
    await ask(made.endpoint, 40, model);
    await vi.waitUntil(async () => (await ask(made.endpoint, 9, model)).size === 3, patience);
    return made;
  }

  it('are more than one once there is much to answer, and share the requests', async () => {
    const { starts } = await pooled();
    expect(starts()).toHaveLength(3);
  });

  it('keep their conversations', async () => {
    const { endpoint } = await pooled();
    const question = { role: 'user' as const, content: 'a question of its own' };
    const rounds: Message[][] = [[question]];
    for (const said of ['one', 'two'])
      rounds.push([question, { role: 'assistant', content: said }, { role: 'user', content: 'and?' }]);
    const answers = rounds.map((messages) => endpoint.chat(base, { ...request, messages }, signal));
    expect(pids(await Promise.all(answers)).size).toBe(1);
  });

  it('each have the adapters that they are asked for', async () => {
    const { starts } = await pooled(adapterNamed('a'));
    expect(starts()).toHaveLength(3);
  });

  it.each([0, 1])(
    'go on when one is killed: what it was asked is asked again (process %i)',
    async (which) => {
      const { endpoint, starts } = await pooled();
      const killed = starts()[which]!;
      const answers = ask(endpoint, 12);
      process.kill(killed, 'SIGKILL');
      expect([...(await answers)].filter((pid) => pid !== killed).length).toBeGreaterThan(0);
      await groupGone(killed);
      expect(await ask(endpoint, 8)).toEqual(new Set(starts().filter((pid) => pid !== killed)));
      expect(starts()).toHaveLength(3);
    },
  );

  it('are started again when much is asked after one was killed', async () => {
    const { endpoint, starts } = await pooled();
    process.kill(starts()[0]!, 'SIGKILL');
    await groupGone(starts()[0]!);
    await vi.waitUntil(async () => (await ask(endpoint, 40), starts().length === 4), patience);
    await vi.waitUntil(async () => (await ask(endpoint, 9)).size === 3, patience);
  });

  it('are as many as the memory allows, and one where the engine does not say that more would help', async () => {
    const memories: number[] = [];
    const most = (memory: number): number => (memories.push(memory), 1);
    const poor = supervised({ memory: 1e9 }, { pool: { most, busyMs: 1 } });
    await vi.waitUntil(async () => (await ask(poor.endpoint, 40), memories.length > 1), patience);
    expect(memories[0]).toBe(1e9);
    expect(poor.starts()).toHaveLength(1);
    const alone = supervised({}, { pool: { most: () => 3, busyMs: 1 } });
    for (let round = 0; round < 5; round += 1) await ask(alone.endpoint, 40);
    expect(alone.starts()).toHaveLength(1);
  });

  it('each have their requests in flight, also where none is new since the second one was ready', async () => {
    let running = 1;
    const pool = { running: () => running } as EnginePool;
    const endpoint = createLocalEndpoint(
      { kind: 'local' },
      'a/model',
      pool,
      async () => '',
      createLiveEngines(),
    );
    const answer: (() => void)[] = [];
    const work = (): Promise<void> => new Promise((resolve) => answer.push(resolve));
    const asked = Array.from({ length: 400 }, () => endpoint.slots.use(work, signal));
    await vi.waitUntil(() => answer.length === localConcurrency, patience);
    running = 2;
    answer[0]!();
    await vi.waitUntil(() => answer.length === 1 + 2 * localConcurrency, patience);
    expect(endpoint.slots.count).toBe(2 * localConcurrency);
    for (let place = 1; place < 400; place += 1) {
      await vi.waitUntil(() => answer.length > place, patience);
      answer[place]!();
    }
    await Promise.all(asked);
  });

  it('all end with the endpoint', async () => {
    const { endpoint, starts } = await pooled();
    await endpoint.close();
    for (const pid of starts()) await groupGone(pid);
  });
});

describe('the engine of a local endpoint', () => {
  it('is started by the first of many requests, once', async () => {
    const { endpoint, starts } = supervised();
    const answers = await Promise.all(Array.from({ length: 8 }, () => endpoint.chat(base, request, signal)));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([String(starts()[0])]));
    expect(starts()).toHaveLength(1);
  });

  it('is asked whether it follows the variables of the template, where a config sets any', async () => {
    const { endpoint, starts } = supervised();
    const needs = { maxTokens: 8, longest: { messages: request.messages, answers: 0 }, scores: false };
    const says = async (template: Needs['template']) =>
      (await endpoint.examine({ ...needs, template }, signal)).map((each) => each.says);
    // This one gives one answer to all prompts, which are of one token each.
    expect(await says({ chat_template_kwargs: { enable_thinking: false } })).toEqual([
      expect.stringContaining('sampling.enable_thinking: false has no effect'),
    ]);
    expect(await says({})).toEqual([]);
    expect(starts()).toHaveLength(1);
  });

  it('survives a kill -9: the next answer comes from a new process, adapters and all', async () => {
    const { endpoint, starts } = supervised();
    const adapter = adapterNamed('a');
    const { text: first } = await endpoint.chat(adapter, request, signal);
    process.kill(Number(first), 'SIGKILL');
    const { text: second } = await endpoint.chat(adapter, request, signal);
    expect(second).not.toBe(first);
    expect(starts()).toEqual([Number(first), Number(second)]);
  });

  it('survives a kill -9 in the middle of many answers', async () => {
    const { endpoint, starts } = supervised();
    const { text: first } = await endpoint.chat(base, request, signal);
    const answers = Array.from({ length: 50 }, () => endpoint.chat(base, request, signal));
    process.kill(Number(first), 'SIGKILL');
    await Promise.all(answers);
    expect(starts()).toHaveLength(2);
  });

  it('that dies three times before it is ready is given up, with the end of its log', async () => {
    const { endpoint, starts } = supervised({ diesAtStart: 3 });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(EngineDied);
    expect(error.message).toMatch(/a\/model exited with 3[^]*no such model, says the engine/);
    expect(starts()).toHaveLength(3);
  });

  it('that dies three times before it is ready is given up for all requests that wait for it', async () => {
    const { endpoint, starts } = supervised({ diesAtStart: 3 }, { pool: { most: () => 2, busyMs: 1 } });
    const asked = Array.from({ length: 20 }, () => errorOf(endpoint.chat(base, request, signal)));
    for (const error of await Promise.all(asked)) expect(error).toBeInstanceOf(EngineDied);
    expect(starts()).toHaveLength(3);
  });

  it('that cannot serve its model is given up at once, in its own words', async () => {
    const refuses = 'The embedded engine cannot run BloomForCausalLM exactly. Use vLLM.';
    const { endpoint, starts } = supervised({ refuses });
    const error = await errorOf(endpoint.check());
    expect(error).toBeInstanceOf(ModelNotServable);
    expect(error).toMatchObject({ message: refuses, retryable: false, model: 'a/model' });
    expect(starts()).toHaveLength(1);
  });

  it('that was given up is tried again by who asks later', async () => {
    const { endpoint, startsFile } = supervised({ diesAtStart: 3 });
    await errorOf(endpoint.check());
    writeFileSync(`${startsFile}.well`, '');
    await endpoint.check();
  });

  it('that dies of every answer is given up after three', async () => {
    const { endpoint, starts } = supervised({ diesAtAnswer: true });
    const error = await errorOf(endpoint.chat(base, request, signal));
    expect(error).toBeInstanceOf(EngineDied);
    expect(error).toMatchObject({ status: { code: null, signal: 'SIGKILL' }, retryable: false });
    expect(error.message).toContain('died 3 times while the same requests were under way');
    expect(starts()).toHaveLength(3);
  });

  it('that loaded the base model before its files changed is started again, and no answer of it is used', async () => {
    const weightsFile = join(mkdtempSync(join(tmpdir(), 'colloquy-weights-')), 'weights');
    const weights = (text: string): void =>
      writeFileSync(weightsFile, createHash('sha256').update(text).digest('hex'));
    weights('the old ones');
    const { endpoint, starts } = supervised({ weightsFile });
    const weighed = untuned({ ...base.base, weights: `model.safetensors:${'a'.repeat(64)}` });
    await endpoint.check();
    weights(weighed.base.weights);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => endpoint.chat(weighed, request, signal)),
    );
    expect(new Set(answers.map(({ text }) => Number(text)))).toEqual(new Set([starts()[1]]));
    expect(starts()).toHaveLength(2);
    weights('others again');
    process.kill(starts()[1]!, 'SIGKILL');
    expect(await errorOf(endpoint.chat(weighed, request, signal))).toBeInstanceOf(OtherWeights);
  });

  it('ends when it had no work for the stated time; the next request starts another', async () => {
    const { endpoint, starts } = supervised({}, {}, { idleMs: 50 });
    await endpoint.check();
    await groupGone(starts()[0]!);
    await endpoint.chat(base, request, signal);
    expect(starts()).toHaveLength(2);
  });

  it('that lives but no longer answers is started again', async () => {
    const { endpoint, starts } = supervised({ deaf: true }, { healthEveryMs: 30 });
    const { text } = await endpoint.chat(base, request, signal);
    await vi.waitUntil(() => !groupAlive(Number(text)), { timeout: 10_000 });
    await endpoint.check();
    expect(starts()).toHaveLength(2);
  });

  it('leaves no process behind when its endpoint is closed, whatever it ignores or has started', async () => {
    const { endpoint, starts } = supervised({ child: true, ignoresTerm: true });
    await endpoint.check();
    const [pid] = starts();
    await endpoint.close();
    await groupGone(pid!);
    expect(await errorOf(endpoint.chat(base, request, signal))).toBeInstanceOf(EngineClosed);
  });

  it('leaves no process behind when its endpoint is closed while it starts', async () => {
    const { endpoint, starts } = supervised();
    const checking = errorOf(endpoint.check());
    await endpoint.close();
    expect(await checking).toBeInstanceOf(EngineClosed);
    const started = ((): number[] => {
      try {
        return starts();
      } catch {
        return [];
      }
    })();
    expect(started.filter(groupAlive)).toEqual([]);
  });

  it('is waited for only as long as the signal allows', async () => {
    const { endpoint } = supervised();
    const abort = new AbortController();
    const answering = errorOf(endpoint.chat(base, request, abort.signal));
    abort.abort(new Error('cancelled'));
    expect((await answering).message).toBe('cancelled');
  });

  it('whose program is not there says what to do', async () => {
    const { endpoint } = supervised({}, { command: ['/no/python'] });
    const error = await errorOf(endpoint.check());
    expect(error).toMatchObject({ name: 'ProcessNotStarted' });
    expect(error.message).toContain('setup.mjs');
  });
});

describe('whole models', () => {
  const deps = { logFolder: tmpdir(), modelFolder: async () => tmpdir() };
  const endpoints = createEndpoints(
    {
      one: { kind: 'local' },
      two: { kind: 'local', resident: 2 },
      server: { kind: 'vllm', url: 'http://none' },
    },
    deps,
  );
  const whole = (digit: string, endpoint: string) =>
    tunedModel(baseNamed('a/model', endpoint), digit.repeat(64), 'full');
  const adapter = (digit: string, endpoint: string) => adapterNamed(digit, baseNamed('a/model', endpoint));

  it.each([
    ['one', ['a'], false],
    ['one', ['a', 'a'], false],
    ['one', ['a', 'b'], true],
    ['two', ['a', 'b'], false],
    ['two', ['a', 'b', 'c'], true],
  ] as const)('at an endpoint like %s, %j take turns: %s', (endpoint, digits, turns) => {
    expect(endpoints.takeTurns(digits.map((digit) => whole(digit, endpoint)))).toBe(turns);
    expect(endpoints.takeTurns(digits.map((digit) => adapter(digit, endpoint)))).toBe(false);
  });

  it('leave room for three base models at an endpoint that says nothing, and for as many as its resident at another', () => {
    const bases = (many: number, endpoint: string) =>
      Array.from({ length: many }, (_, number) => modelNamed(`model-${number}`, endpoint));
    expect(endpoints.takeTurns(bases(3, 'one'))).toBe(false);
    expect(endpoints.takeTurns(bases(4, 'one'))).toBe(true);
    expect(endpoints.takeTurns(bases(3, 'two'))).toBe(true);
    expect(endpoints.takeTurns([...bases(1, 'one'), whole('a', 'one')])).toBe(true);
    expect(endpoints.takeTurns([...bases(1, 'two'), whole('a', 'two')])).toBe(false);
  });

  it('take turns with the base model that summarises', () => {
    expect(endpoints.takeTurns([whole('a', 'one'), modelNamed('a/model', 'one')])).toBe(true);
    expect(endpoints.takeTurns([adapter('a', 'one'), modelNamed('a/model', 'one')])).toBe(false);
  });

  it('cannot be asked at a server that has adapters only', async () => {
    await expect(endpoints.of(whole('a', 'server'))).rejects.toBeInstanceOf(WholeModelsUnsupported);
  });
});
