/** The kind `vllm` without a URL: a vLLM server that this worker starts, watches and starts again. */
import { servedForms, type VllmConfig } from '../../config/endpoints.ts';
import { abortable } from '../waiting.ts';
import { createEnginePool, type EnginePool } from '../process/engine-pool.ts';
import type { EngineProcess } from '../process/engine-process.ts';
import type { LiveEngine, LiveEngines } from '../process/live-engines.ts';
import { sharesCardOfWorker } from '../vllm/device.ts';
import type { VllmProcess } from '../vllm/vllm-process.ts';
import { createLoadedAdapters, type ModelFolder } from './adapters.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { examine } from './examination.ts';
import { createLocalEndpoint } from './local.ts';
import { tryAdapter, vllmConcurrency } from './remote.ts';

/**
 * @param baseModel the name under which `vllm` serves its base model
 * @param held whether a fine-tune has the worker's device now
 */
export function createOwnVllmEndpoint(
  config: VllmConfig,
  baseModel: string,
  vllm: VllmProcess,
  modelFolder: ModelFolder,
  engines: LiveEngines,
  held = false,
): Endpoint {
  /** Of a server that sleeps. */
  let asleep: { readonly wake: () => Promise<void> } | undefined;
  let waking: Promise<void> | undefined;
  let resting: Promise<void> | undefined;
  const server = {
    ...vllm,
    async ready(signal: AbortSignal) {
      waking ??= asleep?.wake().finally(() => (waking = undefined));
      asleep = undefined;
      if (waking !== undefined) await abortable(waking, signal);
      return vllm.ready(signal);
    },
    rest: () => (resting ??= rest().finally(() => (resting = undefined))),
  } satisfies EngineProcess;
  const processes = createEnginePool(() => server);
  const pool: LiveEngine & EnginePool = {
    ...processes,
    rest: server.rest,
    // A server that sleeps has no memory to take an adapter out of.
    useRunning: async (signal, work) =>
      asleep === undefined ? processes.useRunning(signal, work) : undefined,
  };
  const endpoint = createLocalEndpoint(
    { kind: 'local', max_concurrency: config.max_concurrency ?? vllmConcurrency },
    baseModel,
    pool,
    modelFolder,
    engines,
    held,
  );
  if (held)
    void sharesCardOfWorker(config.devices).then(async (shares) =>
      shares ? undefined : endpoint.takeDevice(),
    );

  /** Makes the server sleep, to free its card for a fine-tune or another model. Ends a server that cannot, or that needs too much memory asleep. */
  async function rest(): Promise<void> {
    await pool.hold();
    try {
      await restIdle();
    } finally {
      pool.release();
    }
  }

  async function restIdle(): Promise<void> {
    const running = await vllm.running();
    if (running === undefined || asleep !== undefined) return;
    const sleeper = { url: running.url, model: baseModel };
    const before = running.sleeps && running.roomOnHost() ? await fallAsleep(sleeper) : undefined;
    const stays = before !== undefined && (await running.roomForAnother().catch(() => false));
    if (!stays) return vllm.end(running);
    asleep = {
      async wake() {
        // Where it has ended meanwhile, another server may have its port.
        if ((await vllm.running()) !== running) return;
        if (!(await wakeUp(sleeper, before))) await vllm.end(running);
      },
    };
  }

  /** One question, by a client of its own. */
  function asked<Result>(signal: AbortSignal, ask: (client: ChatClient) => Promise<Result>): Promise<Result> {
    return engines.use(pool, signal, () =>
      pool.use(signal, async ({ url }) => {
        const client = createChatClient({ url });
        try {
          return await ask(client);
        } finally {
          client.close();
        }
      }),
    );
  }

  return {
    ...endpoint,
    embed: (texts, signal, onBusy) =>
      asked(signal, (client) => client.embed(baseModel, texts, signal, onBusy)),
    examine: (needs, signal) => asked(signal, (client) => examine(client, baseModel, needs, signal)),
    tryAdapter: (folder, models, signal) =>
      asked(signal, (client) => {
        const adapters = createLoadedAdapters(client, baseModel, modelFolder);
        return tryAdapter(client, adapters, folder, models, signal);
      }),
    // Each start of a vLLM looks at the memory of its own.
    requireMemory: async () => undefined,
    servesForms: servedForms(config),
    expect: (experiment, needs) => vllm.expect(experiment, needs),
    sharesDevice: () => sharesCardOfWorker(config.devices),
    async yieldDevice(memoryToo) {
      if (!(await sharesCardOfWorker(config.devices))) return;
      await endpoint.yieldDevice(false);
      const running = await vllm.running();
      if (running === undefined) return;
      // After this fine-tune, other models are asked.
      if (memoryToo) {
        asleep = undefined;
        return vllm.end(running);
      }
      // It cannot sleep there, and without requests it needs only memory.
      if (running.device.kind === 'gpu') await server.rest();
    },
  };
}

/**
 * A server that may sleep (vLLM's sleep mode, level 1): weights go to the host's memory, and the cache is given up, so that a fine-tune can
 * have the device.
 */
type Sleeper = {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
  readonly model: string;
};

/** Moving tens of gigabytes to the host's memory takes seconds; more than this is a fault. Milliseconds. */
const longestMs = 300_000;

/** @returns what the server answers before it sleeps, to be compared by `wakeUp`; undefined when it cannot sleep */
async function fallAsleep(server: Sleeper): Promise<string | undefined> {
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
async function wakeUp(server: Sleeper, before: string): Promise<boolean> {
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
