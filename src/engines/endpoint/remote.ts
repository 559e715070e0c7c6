/** A server that this worker did not start: what endpoints of the kinds `vllm` and `openai` share. */
import { type EndpointConfig, servedForms } from '../../config/endpoints.ts';
import { EngineRefused, ModelNotServed } from '../errors.ts';
import type { LoadedAdapters } from './adapters.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { createModelServer } from './model-server.ts';
import { createRequestSlots } from './request-slots.ts';

export type RemoteServer = {
  readonly config: Extract<EndpointConfig, { url: string }>;
  /** The server's name for the base model. */
  readonly baseModel: string;
  /** How many requests it has in flight where the config does not say. */
  readonly defaultSlots: number;
  /** The fine-tuned models that it loads; null when it loads none. */
  readonly adapters: ((client: ChatClient) => LoadedAdapters) | null;
  /** Whether a server that gives no answer is waited for. */
  readonly patient: boolean;
};

/** A server of a model of many gigabytes may take a quarter of an hour to start, and its people some time to notice. */
const defaultPatienceMinutes = 120;

/** Its server has a device of its own, so fine-tunes here do not concern it. */
export function createRemoteEndpoint({
  config,
  baseModel,
  defaultSlots,
  adapters,
  patient,
}: RemoteServer): Endpoint {
  const url = apiUrl(config.url);
  const server = { url, apiKeyEnv: config.api_key_env, aliases: config.kind === 'openai' };
  const client = createChatClient({
    ...server,
    outageMs: patient ? (config.patience_minutes ?? defaultPatienceMinutes) * 60_000 : 0,
  });
  return {
    ...createModelServer(client, baseModel, adapters?.(client) ?? null),
    embed: (texts, signal, onBusy) => client.embed(baseModel, texts, signal, onBusy),
    async check(signal = new AbortController().signal) {
      const hasty = createChatClient({ ...server, ...checkPatience });
      try {
        const served = await servedModels(hasty, baseModel, signal);
        if (!served.includes(baseModel)) throw new ModelNotServed(url, baseModel, served);
        return server.aliases ? await aliasOf(hasty, baseModel, signal) : null;
      } finally {
        hasty.close();
      }
    },
    checkTraining: (check, signal) => client.checkTraining(check, signal),
    servesForms: servedForms[config.kind],
    // Each has a server of its own.
    resident: Infinity,
    slots: createRequestSlots(config.max_concurrency ?? defaultSlots),
    yieldDevice: async () => undefined,
    takeDevice: async () => undefined,
    close: async () => client.close(),
  };
}

/** A server that is silent when the experiment starts is reported at once; one that is silent later is waited for. */
const checkPatience = { timeoutMs: 30_000, patienceMs: 30_000 };

/** A bare `http://host:port` gets the `/v1` under which all such servers answer. */
function apiUrl(url: string): string {
  return new URL(url).pathname === '/' ? `${url.replace(/\/+$/, '')}/v1` : url;
}

/** Some servers list no models: then one token that comes back is proof enough. */
async function servedModels(client: ChatClient, baseModel: string, signal: AbortSignal): Promise<string[]> {
  try {
    return (await client.listModels(signal)).map(({ id }) => id);
  } catch (error) {
    if (!(error instanceof EngineRefused && (error.status === 404 || error.status === 405))) throw error;
    await aliasOf(client, baseModel, signal);
    return [baseModel];
  }
}

/** One token shows under which name a model answers; null when it is its own. */
async function aliasOf(client: ChatClient, baseModel: string, signal: AbortSignal): Promise<string | null> {
  const messages = [{ role: 'user', content: '1+1' }] as const;
  const probe = { model: baseModel, messages, seed: 0, temperature: 1, top_p: 1, max_tokens: 1 };
  const { answeredAs } = await client.complete(probe, signal);
  return answeredAs ?? null;
}

export type OpenAiConfig = Extract<EndpointConfig, { kind: 'openai' }>;

/**
 * The kind `openai`: any server of the OpenAI chat protocol. It answers with its own models only and does not say how likely the
 * tokens of a prompt are, so it serves experiments of 0 iterations, without the measures that need likelihoods.
 *
 * @param baseModel the server's name for the base model
 */
export function createOpenAiEndpoint(config: OpenAiConfig, baseModel: string, patient: boolean): Endpoint {
  return createRemoteEndpoint({ config, baseModel, defaultSlots: 8, adapters: null, patient });
}
