/** The endpoint `local`: the embedded engine, which this process starts, watches and starts again. */
import type { EndpointConfig } from '../../config/endpoints.ts';
import { pause } from '../abort.ts';
import { EmbeddingsUnsupported, type EngineDied, EngineUnreachable, ModelNotServed } from '../errors.ts';
import type { EngineProcess, RunningEngine } from '../process/engine-process.ts';
import { createLoadedAdapters, type LoadedAdapters } from './adapters.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { createTurns } from './request-slots.ts';
import { scoreResponses } from './score.ts';

export type LocalEndpointConfig = Extract<EndpointConfig, { kind: 'local' }>;

/** @param baseModel the name under which `engine` serves its base model */
export function createLocalEndpoint(
  config: LocalEndpointConfig,
  baseModel: string,
  engine: EngineProcess,
): Endpoint {
  const maxConcurrency = config.max_concurrency ?? 128;
  let connection: Connection | undefined;

  async function connect(signal: AbortSignal): Promise<Connection> {
    const running = await engine.ready(signal);
    if (connection?.engine === running) return connection;
    connection?.client.close();
    // An engine that has started again has another port, and has lost its adapters.
    const client = createChatClient({ url: running.url });
    connection = { engine: running, client, adapters: createLoadedAdapters(client, baseModel) };
    return connection;
  }

  /** `work`, and again with the next engine when this one died of something. */
  async function outlive<T>(signal: AbortSignal, work: (connection: Connection) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const connection = await connect(signal);
      try {
        const result = await work(connection);
        connection.engine.answered();
        return result;
      } catch (error) {
        const died = error instanceof EngineUnreachable ? await diedOf(connection.engine, signal) : undefined;
        if (died === undefined) throw error;
        if (tries === 3) throw died;
      }
    }
  }

  return {
    servesAdapters: true,
    maxConcurrency,
    turn: createTurns(maxConcurrency),
    chat: (model, request, signal, onBusy) =>
      outlive(signal, ({ client, adapters }) =>
        model.kind === 'base'
          ? client.complete({ ...request, model: baseModel }, signal, onBusy)
          : adapters.use(model, signal, (name) =>
              client.complete({ ...request, model: name }, signal, onBusy),
            ),
      ),
    score: (model, request, signal, onBusy) =>
      outlive(signal, ({ client, adapters }) => {
        const score = (name: string) => scoreResponses(client, name, request, signal, onBusy);
        return model.kind === 'base' ? score(baseModel) : adapters.use(model, signal, score);
      }),
    async embed() {
      throw new EmbeddingsUnsupported(baseModel);
    },
    async prepare(models, signal) {
      await outlive(signal, async ({ adapters }) => {
        await Promise.all(
          models.map(async (model) => {
            if (model.kind === 'adapter') await adapters.use(model, signal, async () => undefined);
          }),
        );
      });
    },
    async check(signal = new AbortController().signal) {
      await outlive(signal, async ({ client, engine }) => {
        const served = (await client.listModels(signal)).map(({ id }) => id);
        if (!served.includes(baseModel)) throw new ModelNotServed(engine.url, baseModel, served);
      });
    },
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
}

/** A connection breaks a moment before the process that held it is seen to have ended. */
async function diedOf(engine: RunningEngine, signal: AbortSignal): Promise<EngineDied | undefined> {
  return Promise.race([engine.ended, pause(2_000, signal).then(() => undefined)]);
}
