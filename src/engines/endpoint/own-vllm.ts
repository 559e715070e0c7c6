/** The kind `vllm` without a URL: a vLLM server that this worker starts, watches and starts again. */
import { servedForms, type VllmConfig } from '../../config/endpoints.ts';
import { abortable } from '../abort.ts';
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

/** @param baseModel the name under which `vllm` serves its base model */
export function createOwnVllmEndpoint(
  config: VllmConfig,
  baseModel: string,
  vllm: VllmProcess,
  modelFolder: ModelFolder,
  engines: LiveEngines,
): Endpoint {
  /** While a fine-tune has the device. */
  let yielded: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  /** Of a server that sleeps. */
  let asleep: { readonly wake: () => Promise<void> } | undefined;
  let waking: Promise<void> | undefined;
  let resting: Promise<void> | undefined;
  const server = {
    ...vllm,
    async ready(signal: AbortSignal) {
      // It would take the memory that the fine-tune needs.
      if (yielded !== undefined) await abortable(yielded.over, signal);
      waking ??= asleep?.wake().finally(() => (waking = undefined));
      asleep = undefined;
      if (waking !== undefined) await abortable(waking, signal);
      return vllm.ready(signal);
    },
    rest: () => (resting ??= rest().finally(() => (resting = undefined))),
  } satisfies EngineProcess;
  const pool: LiveEngine & EnginePool = { ...createEnginePool(() => server), rest: server.rest };
  const endpoint = createLocalEndpoint(
    { kind: 'local', max_concurrency: config.max_concurrency ?? vllmConcurrency },
    baseModel,
    pool,
    modelFolder,
    engines,
  );

  /** Makes the server sleep, to free its card for a fine-tune or another model. Ends a server that cannot, or that needs too much memory asleep. */
  async function rest(): Promise<void> {
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
    return engines.use(pool, signal, async () => {
      const client = createChatClient({ url: (await server.ready(signal)).url });
      try {
        return await ask(client);
      } finally {
        client.close();
      }
    });
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
    servesForms: servedForms(config),
    expect: (experiment, needs) => vllm.expect(experiment, needs),
    async yieldDevice(memoryToo) {
      if (!(await sharesCardOfWorker(config.devices))) return;
      await endpoint.yieldDevice(false);
      let end = (): void => undefined;
      const over = new Promise<void>((resolve) => (end = resolve));
      yielded = { over, end };
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
    async takeDevice() {
      yielded?.end();
      yielded = undefined;
      await endpoint.takeDevice();
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
