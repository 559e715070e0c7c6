/** The kind `local`: the embedded engine, which this process starts, watches and starts again. */
import { type EndpointConfig, servedForms } from '../../config/endpoints.ts';
import { createRequestSlots, pause } from '../waiting.ts';
import { EmbeddingsUnsupported, EngineUnreachable, ModelNotServed, OtherWeights } from '../errors.ts';
import type { EnginePool } from '../process/engine-pool.ts';
import type { RunningEngine } from '../process/engine-process.ts';
import type { EngineDied } from '../process/supervisor.ts';
import type { LiveEngines } from '../process/live-engines.ts';
import { embeddedNeeds } from '../vllm/needs.ts';
import { isDeath } from './refusals.ts';
import { createLoadedAdapters, type LoadedAdapters, type ModelFolder, tidying } from './adapters.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { examineTemplate } from './examination.ts';
import { createModelServer, type ModelServer } from './model-server.ts';
import { conversationOf } from './replicas.ts';

export type LocalConfig = Extract<EndpointConfig, { kind: 'local' }>;

/**
 * Requests in flight for each process of the engine when the config states no `max_concurrency`: its batch of 128 answers and a quarter
 * more. Those that wait at the engine fill the places in its batch that become free, before this process has heard of it (docs/benchmarks.md).
 */
export const localConcurrency = 160;

/**
 * @param baseModel the name under which the processes of `pool` serve their base model
 * @param held whether nothing may begin before `takeDevice`
 */
export function createLocalEndpoint(
  config: LocalConfig,
  baseModel: string,
  pool: EnginePool,
  modelFolder: ModelFolder,
  engines: LiveEngines,
  held = false,
): Endpoint {
  const slots = createRequestSlots(config.max_concurrency ?? localConcurrency);
  const connections = new Map<RunningEngine, Connection>();
  /** Whether the device is left to a fine-tune. */
  let yielded = false;

  function fitSlots(): void {
    if (config.max_concurrency === undefined) slots.resize(localConcurrency * Math.max(1, pool.running()));
  }

  if (held) {
    yielded = true;
    void slots.close();
    void pool.hold();
  }

  /** Each process has a port and adapters of its own. */
  function connectionTo(engine: RunningEngine): Connection {
    const known = connections.get(engine);
    if (known !== undefined) return known;
    const client = createChatClient({ url: engine.url });
    const adapters = createLoadedAdapters(client, baseModel, modelFolder, engine.adapters);
    const server = createModelServer(client, baseModel, adapters, async () => false);
    const connection = { client, adapters, server, requests: 0 };
    connections.set(engine, connection);
    void engine.ended.then(() => {
      connections.delete(engine);
      if (connection.requests === 0) client.close();
    });
    return connection;
  }

  /** `work`, by the connection to a process, which is kept open until all requests of a process that has ended have failed. */
  async function connected<T>(
    engine: RunningEngine,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const connection = connectionTo(engine);
    connection.requests += 1;
    try {
      return await work(connection);
    } finally {
      connection.requests -= 1;
      if (connection.requests === 0 && !connections.has(engine)) connection.client.close();
    }
  }

  /** `work`, and again with the next engine when this one has died, or has loaded the base model before its files changed. */
  function outlive<T>(
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
    conversation?: string,
  ): Promise<T> {
    return engines.use(pool, signal, () => outliveDeaths(signal, work, conversation));
  }

  async function outliveDeaths<T>(
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
    conversation: string | undefined,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const outcome = await pool.use(signal, (engine) => attempt(engine, work), conversation);
      if ('result' in outcome) return outcome.result;
      const { error, engine } = outcome;
      if (error instanceof OtherWeights && tries === 1) {
        await pool.end(engine);
        continue;
      }
      if (!(error instanceof EngineUnreachable) && !isDeath(error)) throw error;
      let died = await diedOf(engine, signal);
      if (died === undefined && (isDeath(error) || error.reason === 'ECONNREFUSED')) {
        // A vLLM lives on for long when the process of its engine has died: at first it answers 500, then it closes its port.
        await pool.end(engine);
        died = await engine.ended;
      }
      // The next request shows what has become of a server that broke a connection.
      if (died === undefined && !isDeath(error) && error.reason === 'ECONNRESET' && tries < 3) continue;
      if (died === undefined) throw error;
      if (tries === 3) throw died.duringOneRequest(tries);
    }
  }

  async function attempt<T>(engine: RunningEngine, work: (connection: Connection) => Promise<T>) {
    try {
      const result = await connected(engine, work);
      engine.answered();
      return { result };
    } catch (error) {
      return { error, engine };
    }
  }

  return {
    serve: (models, signal, onBusy) => outlive(signal, ({ server }) => server.serve(models, signal, onBusy)),
    chat: (model, request, signal, onBusy) =>
      outlive(
        signal,
        ({ server }) => server.chat(model, request, signal, onBusy),
        conversationOf(model, request),
      ),
    score: (model, request, signal, onBusy) =>
      outlive(
        signal,
        ({ server }) => server.score(model, request, signal, onBusy),
        conversationOf(model, request),
      ),
    async embed() {
      throw new EmbeddingsUnsupported(baseModel);
    },
    async check(signal = new AbortController().signal) {
      await outlive(signal, async ({ client }) => {
        const served = (await client.listModels(signal)).map(({ id }) => id);
        if (!served.includes(baseModel)) throw new ModelNotServed(client.url, baseModel, served);
      });
      return null;
    },
    // Our own engine has everything else that an experiment relies on.
    examine: async (needs, signal) =>
      needs.template.chat_template_kwargs === undefined
        ? []
        : outlive(signal, ({ client }) => examineTemplate(client, baseModel, needs, signal)),
    tryAdapter: async () => [],
    unload: (unneeded, signal) =>
      pool.useRunning(signal, async (engine) => {
        if (!connections.has(engine)) return;
        await tidying(signal, () =>
          connected(engine, ({ adapters, client }) => adapters.unload(unneeded, client, signal)),
        );
      }),
    checkTraining: (check, signal) => outlive(signal, ({ client }) => client.checkTraining(check, signal)),
    servesForms: servedForms(config),
    resident: engines.most,
    residentWhole: engines.ofWholeModels.most,
    async requireMemory(asked, name) {
      const residentWhole = engines.ofWholeModels.most;
      await embeddedNeeds(asked, name, { resident: engines.most, residentWhole });
    },
    slots: {
      get count() {
        return slots.count;
      },
      close: () => slots.close(),
      open: () => slots.open(),
      // Those that wait for a slot hold the engine's place too: it answers all of them before another model has its turn.
      use: (work, signal) =>
        engines.use(pool, signal, async () => {
          fitSlots();
          try {
            return await slots.use(work, signal);
          } finally {
            // When all requests have been made, the next process may still have to become ready.
            fitSlots();
          }
        }),
    },
    sharesDevice: async () => true,
    async yieldDevice(memoryToo) {
      yielded = true;
      // Requests in a slot ask the pool, so the slots become empty first.
      await slots.close();
      await pool.hold();
      if (memoryToo) await pool.end();
    },
    async takeDevice() {
      if (!yielded) return;
      yielded = false;
      pool.release();
      slots.open();
    },
    async close() {
      await pool.close();
    },
  };
}

interface Connection {
  readonly client: ChatClient;
  readonly adapters: LoadedAdapters;
  readonly server: ModelServer;
  /** How many use it. */
  requests: number;
}

/** A connection breaks a moment before the process that held it is seen to have ended. */
async function diedOf(engine: RunningEngine, signal: AbortSignal): Promise<EngineDied | undefined> {
  return Promise.race([engine.ended, pause(2_000, signal).then(() => undefined)]);
}
