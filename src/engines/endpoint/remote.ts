/** Servers that this worker did not start: what endpoints of the kinds `vllm` and `openai` share. */
import { type RemoteConfig, servedForms, withPath } from '../../config/endpoints.ts';
import { abortable, createRequestSlots } from '../waiting.ts';
import { EngineFailed, EngineRefused, ModelNotServed, PromptLogprobsUnsupported } from '../errors.ts';
import { createExpectations } from '../vllm/needs.ts';
import { createLoadedAdapters, type LoadedAdapters, type ModelFolder, tidying } from './adapters.ts';
import type { CanaryAnswer } from './protocol.ts';
import { type ChatClient, createChatClient } from './chat-client.ts';
import type { Endpoint } from './endpoint.ts';
import { contextOf, examine, type Needs, type Shortcoming } from './examination.ts';
import { createHostedModels, createModelServer, type HostedName } from './model-server.ts';
import type { Replica } from './replica-states.ts';
import { createReplicas } from './replicas.ts';
import type { ServerOptions } from './server-requests.ts';

type RemoteServer = {
  readonly config: RemoteConfig;
  /** The server's name for the base model. */
  readonly baseModel: string;
  /** How many requests it has in flight where the config does not say. */
  readonly defaultSlots: number;
  /** The fine-tuned models that it loads; otherwise it has those that it trained itself. */
  readonly adapters: ((client: ChatClient) => LoadedAdapters) | null;
  readonly hostedName?: HostedName | undefined;
  /** Whether a server that gives no answer is waited for. */
  readonly patient: boolean;
};

/** A server of a model of many gigabytes may take a quarter of an hour to start, and its people some time to notice. */
const defaultPatienceMinutes = 120;

/** Its servers have devices of their own, so fine-tunes here do not concern them. */
function createRemoteEndpoint(server: RemoteServer): Endpoint {
  const { config, patient } = server;
  const patienceMs = patient ? (config.patience_minutes ?? defaultPatienceMinutes) * 60_000 : 0;
  const [first = '', second, ...others] = typeof config.url === 'string' ? [config.url] : config.url;
  if (second === undefined) return createRemoteServer(server, first, { outageMs: patienceMs });
  const open = (url: string): Replica =>
    createRemoteServer(server, url, { oneOfSeveral: true, patienceMs: busyMs });
  return createReplicas([open(first), open(second), ...others.map(open)], patienceMs);
}

/** How long the worker waits for one of several servers that answers that it is busy. Then it asks another one. */
const busyMs = 60_000;

function createRemoteServer(
  { config, baseModel, defaultSlots, adapters, hostedName }: RemoteServer,
  address: string,
  patience: Pick<ServerOptions, 'outageMs' | 'patienceMs' | 'oneOfSeveral'>,
): Replica {
  const url = withPath(address);
  const server = { url, apiKeyEnv: config.api_key_env, aliases: config.kind === 'openai' };
  const client = createChatClient({ ...server, ...patience });

  let isOnGpu: Promise<boolean> | undefined;
  async function scoresApart(signal: AbortSignal): Promise<boolean> {
    isOnGpu ??= client.isVllmOnGpu(new AbortController().signal);
    return !(await abortable(isOnGpu, signal));
  }

  const loaded = adapters?.(client) ?? null;

  /** By a client of its own, which soon reports a server that is silent. */
  async function hastily<Result>(work: (hasty: ChatClient) => Promise<Result>): Promise<Result> {
    const hasty = createChatClient({ ...server, ...checkPatience });
    try {
      return await work(hasty);
    } finally {
      hasty.close();
    }
  }

  return {
    url: client.url,
    isThere: (signal) => client.isThere(signal),
    identify: (signal) =>
      hastily(async (hasty) => {
        const answeredAs = await requireServed(hasty, baseModel, server.aliases, signal);
        const context = await contextOf(hasty, baseModel, signal);
        const greedy = (): Promise<CanaryAnswer> => hasty.canary(baseModel, signal);
        const canary = await (loaded?.useBase(signal, greedy, 'score') ?? greedy()).catch(nullIfRefused);
        return { answeredAs, context, canary };
      }),
    ...createModelServer(client, baseModel, loaded ?? createHostedModels(client, hostedName), scoresApart),
    embed: (texts, signal, onBusy) => client.embed(baseModel, texts, signal, onBusy),
    async check(signal = new AbortController().signal) {
      return hastily((hasty) => requireServed(hasty, baseModel, server.aliases, signal));
    },
    examine: (needs, signal) =>
      hastily(async (hasty) => [
        ...(await examine(hasty, baseModel, needs, signal)),
        ...(needs.scores ? await scoresOf(hasty, baseModel, needs, adapters !== null, signal) : []),
      ]),
    tryAdapter: (folder, models, signal) =>
      hastily(async (hasty) =>
        adapters === null ? [] : tryAdapter(hasty, adapters(hasty), folder, models, signal),
      ),
    async unload(unneeded, signal) {
      if (loaded === null) return;
      await tidying(signal, () => hastily((hasty) => loaded.unload(unneeded, hasty, signal)));
    },
    checkTraining: (check, signal) => client.checkTraining(check, signal),
    servesForms: servedForms(config),
    // Each has a server of its own.
    resident: Infinity,
    residentWhole: Infinity,
    slots: createRequestSlots(config.max_concurrency ?? defaultSlots),
    sharesDevice: async () => false,
    yieldDevice: async () => undefined,
    takeDevice: async () => undefined,
    close: async () => client.close(),
  };
}

/** Services that do not know log-probabilities refuse to give them. */
function nullIfRefused(error: unknown): null {
  if (error instanceof EngineRefused) return null;
  throw error;
}

/**
 * A server that is silent when the experiment starts is reported at once; one that is silent later is waited for. Some servers load a
 * model when it is first asked, which takes minutes.
 */
const checkPatience = { timeoutMs: 300_000, patienceMs: 30_000 };

/**
 * The server answers as the base model. What it lists proves something only when the model is listed, or when others are: some servers
 * list no models, and some load a model when it is asked (`transformers serve`: an empty list, or status 500 before anything is loaded).
 *
 * @param aliases whether it may answer under another name
 * @returns that name, if it is another one
 * @throws ModelNotServed
 */
async function requireServed(
  client: ChatClient,
  baseModel: string,
  aliases: boolean,
  signal: AbortSignal,
): Promise<string | null> {
  const served = await listedModels(client, signal);
  if (served.includes(baseModel)) return aliases ? aliasOf(client, baseModel, signal) : null;
  if (served.length > 0) throw new ModelNotServed(client.url, baseModel, served);
  try {
    return await aliasOf(client, baseModel, signal);
  } catch (error) {
    const unknown = error instanceof EngineRefused && error.status === 404;
    throw unknown ? new ModelNotServed(client.url, baseModel, served) : error;
  }
}

/** None when the server has no list. */
async function listedModels(client: ChatClient, signal: AbortSignal): Promise<string[]> {
  try {
    return (await client.listModels(signal)).map(({ id }) => id);
  } catch (error) {
    const noList = error instanceof EngineRefused && (error.status === 404 || error.status === 405);
    if (noList || (error instanceof EngineFailed && error.status === 500)) return [];
    throw error;
  }
}

/** Whether the likelihoods of responses can be measured there: one request, alone, of the base model. */
async function scoresOf(
  client: ChatClient,
  model: string,
  { longest: { messages } }: Needs,
  mayHave: boolean,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  if (mayHave) {
    try {
      await client.promptTokens({ model, messages }, signal);
      return [];
    } catch (error) {
      if (!(error instanceof PromptLogprobsUnsupported || error instanceof EngineRefused)) throw error;
    }
  }
  return [
    {
      says: 'The server does not tell how likely the tokens of a prompt are (prompt_logprobs): of the diversity of the agents, the likelihoods and divergences are left out.',
      remedy: 'Take an endpoint of kind local or vllm for them, or set diversity: {questions: 0}.',
    },
  ];
}

/** @returns what it costs that the server has too few slots for adapters, or answers the base model wrongly beside them */
export async function tryAdapter(
  client: ChatClient,
  adapters: LoadedAdapters,
  folder: string,
  models: number,
  signal: AbortSignal,
): Promise<Shortcoming[]> {
  const right = await adapters.tryOut(folder, models, signal);
  const slots = await client.adapterSlots(signal);
  const remedy =
    slots !== null && slots > models
      ? 'Start the server again: unloading an adapter empties no slot of --max-loras there.'
      : `Start the server with --max-loras ${models + 1} or more: one more than the experiment has models.`;
  return [
    ...(slots === null || slots >= models
      ? []
      : [
          {
            says: `The server has room for ${slots} adapters in a batch (--max-loras), and the experiment has ${models} models: they are exchanged all the time, which is slow.`,
            remedy,
          },
        ]),
    ...(right
      ? []
      : [
          {
            says:
              'The server answers the base model with an adapter when both are asked together, as the CPU build of vLLM does. So they are asked in turn, which is slower. ' +
              'No other program should ask for adapters there meanwhile.',
            remedy,
          },
        ]),
  ];
}

/** One token shows under which name a model answers; null when it is its own. */
async function aliasOf(client: ChatClient, baseModel: string, signal: AbortSignal): Promise<string | null> {
  const messages = [{ role: 'user', content: '1+1' }] as const;
  const probe = { model: baseModel, messages, seed: 0, temperature: 1, top_p: 1, max_tokens: 1 };
  const { answeredAs } = await client.complete(probe, signal);
  return answeredAs ?? null;
}

/**
 * The kind `openai`: any server of the OpenAI chat protocol. It answers with its own models and those that it trained itself
 * (engines/trainer/openai.ts), and does not say how likely the tokens of a prompt are, so the measures that need likelihoods are left out.
 *
 * @param baseModel the server's name for the base model
 */
export function createOpenAiEndpoint(
  config: RemoteConfig,
  baseModel: string,
  hostedName: HostedName | undefined,
  patient: boolean,
): Endpoint {
  return createRemoteEndpoint({ config, baseModel, defaultSlots: 8, adapters: null, hostedName, patient });
}

/** Requests in flight at a vLLM when the config states no `max_concurrency`. */
export const vllmConcurrency = 64;

/**
 * The kind `vllm`: a vLLM server at a URL, started with `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING, so that it loads
 * adapters while it runs. It reads them from the worker's store: both see the same folders under the same paths.
 *
 * @param baseModel the server's name for the base model
 */
export function createVllmEndpoint(
  config: RemoteConfig,
  baseModel: string,
  modelFolder: ModelFolder,
  patient: boolean,
): Endpoint {
  const { expect, wanted } = createExpectations();
  const endpoint = createRemoteEndpoint({
    config,
    baseModel,
    defaultSlots: vllmConcurrency,
    patient,
    // The adapters of the last iteration are unloaded as soon as those of the next are loaded.
    adapters: (client) => createLoadedAdapters(client, baseModel, modelFolder, () => wanted().adapters, true),
  });
  return { ...endpoint, expect };
}
