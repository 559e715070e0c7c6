/** Endpoints that somebody else runs: a vLLM server, or any server of the OpenAI chat protocol. */
import type { EndpointConfig } from '../../config/endpoints.ts';
import { AdaptersUnsupported, EngineRefused, ModelNotServed, PromptLogprobsUnsupported } from '../errors.ts';
import { createLoadedAdapters } from './adapters.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { createTurns } from './request-slots.ts';
import { embedTexts, scoreResponses } from './score.ts';

export type UrlEndpointConfig = Exclude<EndpointConfig, { kind: 'local' }>;

/** @param baseModel the server's name for the base model */
export function createUrlEndpoint(config: UrlEndpointConfig, baseModel: string): Endpoint {
  const url = apiUrl(config.url);
  const client = createChatClient({ url, apiKeyEnv: config.api_key_env });
  const adapters = config.kind === 'vllm' ? createLoadedAdapters(client, baseModel) : undefined;
  const maxConcurrency = config.max_concurrency ?? (config.kind === 'vllm' ? 64 : 8);

  return {
    servesAdapters: config.kind === 'vllm',
    maxConcurrency,
    turn: createTurns(maxConcurrency),
    async chat(model, request, signal, onBusy) {
      if (model.kind === 'base') return client.complete({ ...request, model: baseModel }, signal, onBusy);
      if (adapters === undefined) throw new AdaptersUnsupported(url);
      return adapters.use(model, signal, (name) =>
        client.complete({ ...request, model: name }, signal, onBusy),
      );
    },
    async score(model, request, signal, onBusy) {
      if (adapters === undefined) throw new PromptLogprobsUnsupported(client.url);
      const score = (name: string) => scoreResponses(client, name, request, signal, onBusy);
      return model.kind === 'base' ? score(baseModel) : adapters.use(model, signal, score);
    },
    embed: (texts, signal, onBusy) => embedTexts(client, baseModel, texts, signal, onBusy),
    async prepare(models, signal) {
      await Promise.all(
        models.map(async (model) => {
          if (model.kind === 'base') return;
          if (adapters === undefined) throw new AdaptersUnsupported(url);
          await adapters.use(model, signal, async () => undefined);
        }),
      );
    },
    async check(signal = new AbortController().signal) {
      const hasty = createChatClient({ url, apiKeyEnv: config.api_key_env, ...checkPatience });
      try {
        const served = await servedModels(hasty, baseModel, signal);
        if (!served.includes(baseModel)) throw new ModelNotServed(url, baseModel, served);
      } finally {
        hasty.close();
      }
    },
    async close() {
      client.close();
    },
  };
}

/** A server that is silent when the experiment starts is told at once; one that is silent later is waited for. */
const checkPatience = { timeoutMs: 30_000, patienceMs: 30_000 };

/** A bare `http://host:port` gets the `/v1` under which all such servers answer. */
function apiUrl(url: string): string {
  return new URL(url).pathname === '/' ? `${url.replace(/\/+$/, '')}/v1` : url;
}

/** Some servers list no models: what then counts is that one token comes back. */
async function servedModels(client: ChatClient, baseModel: string, signal: AbortSignal): Promise<string[]> {
  try {
    return (await client.listModels(signal)).map(({ id }) => id);
  } catch (error) {
    if (!(error instanceof EngineRefused && (error.status === 404 || error.status === 405))) throw error;
    const messages = [{ role: 'user', content: '1+1' }] as const;
    const probe = { model: baseModel, messages, seed: 0, temperature: 1, top_p: 1, max_tokens: 1 };
    await client.complete(probe, signal);
    return [baseModel];
  }
}
