/** The kind `local`: the embedded engine, which this process starts, watches and starts again. */
import { type EndpointConfig, servedForms } from '../../config/endpoints.ts';
import { pause } from '../abort.ts';
import { EmbeddingsUnsupported, EngineUnreachable, ModelNotServed, OtherWeights } from '../errors.ts';
import type { EngineProcess, RunningEngine } from '../process/engine-process.ts';
import type { EngineDied } from '../process/errors.ts';
import type { LiveEngines } from '../process/live-engines.ts';
import { createLoadedAdapters, type LoadedAdapters, type ModelFolder, tidying } from './adapters.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { createModelServer, type ModelServer } from './model-server.ts';
import { createRequestSlots } from './request-slots.ts';

export type LocalConfig = Extract<EndpointConfig, { kind: 'local' }>;

/**
 * Requests in flight when the config states no `max_concurrency`: the engine's batch of 128 answers and a quarter more. Those
 * that wait at the engine fill the places in its batch that become free, before this process has heard of it (docs/benchmarks.md).
 */
export const localConcurrency = 160;

/** @param baseModel the name under which `engine` serves its base model */
export function createLocalEndpoint(
  config: LocalConfig,
  baseModel: string,
  engine: EngineProcess,
  modelFolder: ModelFolder,
  engines: LiveEngines,
): Endpoint {
  const slots = createRequestSlots(config.max_concurrency ?? localConcurrency);
  let connection: Connection | undefined;

  async function connect(signal: AbortSignal): Promise<Connection> {
    const running = await engine.ready(signal);
    if (connection?.engine === running) return connection;
    connection?.client.close();
    // An engine that has started again has another port, and has lost its adapters.
    const client = createChatClient({ url: running.url });
    const adapters = createLoadedAdapters(client, baseModel, modelFolder, running.adapters);
    connection = {
      engine: running,
      client,
      adapters,
      server: createModelServer(client, baseModel, adapters, async () => false),
    };
    return connection;
  }

  /** `work`, and again with the next engine when this one has died, or has loaded the base model before its files changed. */
  function outlive<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
    return engines.use(engine, signal, () => outliveDeaths(signal, work));
  }

  async function outliveDeaths<T>(
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const connection = await connect(signal);
      try {
        const result = await work(connection);
        connection.engine.answered();
        return result;
      } catch (error) {
        if (error instanceof OtherWeights && tries === 1) {
          await engine.end(connection.engine);
          continue;
        }
        if (!(error instanceof EngineUnreachable)) throw error;
        let died = await diedOf(connection.engine, signal);
        if (died === undefined && error.reason === 'ECONNREFUSED') {
          // It has closed its port and lives on, as a vLLM does for long when its engine has died: it will not answer any more.
          await engine.end(connection.engine);
          died = await connection.engine.ended;
        }
        // What becomes of a server that broke a connection, the next request shows.
        if (died === undefined && error.reason === 'ECONNRESET' && tries < 3) continue;
        if (died === undefined) throw error;
        if (tries === 3) throw died.duringOneRequest(tries);
      }
    }
  }

  return {
    serve: (models, signal, onBusy) => outlive(signal, ({ server }) => server.serve(models, signal, onBusy)),
    chat: (model, request, signal, onBusy) =>
      outlive(signal, ({ server }) => server.chat(model, request, signal, onBusy)),
    score: (model, request, signal, onBusy) =>
      outlive(signal, ({ server }) => server.score(model, request, signal, onBusy)),
    async embed() {
      throw new EmbeddingsUnsupported(baseModel);
    },
    async check(signal = new AbortController().signal) {
      await outlive(signal, async ({ client, engine }) => {
        const served = (await client.listModels(signal)).map(({ id }) => id);
        if (!served.includes(baseModel)) throw new ModelNotServed(engine.url, baseModel, served);
      });
      return null;
    },
    // Our own engine does all that an experiment relies on.
    examine: async () => [],
    tryAdapter: async () => [],
    async unload(unneeded, signal) {
      const running = connection;
      if (running !== undefined)
        await tidying(signal, () => running.adapters.unload(unneeded, running.client, signal));
    },
    checkTraining: (check, signal) => outlive(signal, ({ client }) => client.checkTraining(check, signal)),
    servesForms: servedForms(config),
    resident: engines.most,
    residentWhole: engines.ofWholeModels.most,
    slots: {
      ...slots,
      // Those that wait for a slot hold the engine's place too: it answers all of them before another model has its turn.
      use: (work, signal) => engines.use(engine, signal, () => slots.use(work, signal)),
    },
    async yieldDevice(memoryToo) {
      await slots.close();
      if (memoryToo) await engine.end();
    },
    takeDevice: async () => slots.open(),
    async close() {
      await engine.close();
      connection?.client.close();
    },
  };
}

interface Connection {
  readonly engine: RunningEngine;
  readonly client: ChatClient;
  readonly adapters: LoadedAdapters;
  readonly server: ModelServer;
}

/** A connection breaks a moment before the process that held it is seen to have ended. */
async function diedOf(engine: RunningEngine, signal: AbortSignal): Promise<EngineDied | undefined> {
  return Promise.race([engine.ended, pause(2_000, signal).then(() => undefined)]);
}
