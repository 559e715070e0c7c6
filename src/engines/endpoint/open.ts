/** The endpoints that a worker has in use. Only this file makes an endpoint of a kind. */
import { type EndpointConfig, loadEndpoints } from '../../config/endpoints.ts';
import { baseModelsOf } from '../../config/agents.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { type BaseModel, hostedName, type Model, untuned } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { EndpointUnknown, WholeModelsUnsupported } from '../errors.ts';
import { createEngineProcess, type EngineProcessOptions } from '../process/engine-process.ts';
import { createEnginePool, type EnginePoolOptions } from '../process/engine-pool.ts';
import { createLiveEngines, type LiveEngines, type LiveEnginesOptions } from '../process/live-engines.ts';
import { createExpectations, type Expectations, servingNeeds } from '../vllm/needs.ts';
import { createVllmProcess, type VllmProcessOptions } from '../vllm/vllm-process.ts';
import type { ModelFolder } from './adapters.ts';
import type { HostedName } from './model-server.ts';
import { identifyWholeModel, requireSameWeights, resolveModel } from './base-model.ts';
import type { Endpoint } from './endpoint.ts';
import { createLocalEndpoint } from './local.ts';
import { createOwnVllmEndpoint } from './own-vllm.ts';
import { createOpenAiEndpoint, createVllmEndpoint } from './remote.ts';
import type { OnBusy } from './server-requests.ts';

/**
 * One endpoint for each base model at each place, so at most one engine for each base model. How many engines of a place live at once, its
 * `resident` says (live-engines.ts).
 */
export interface Endpoints extends Pick<Endpoint, 'yieldDevice' | 'takeDevice'> {
  /**
   * What answers for a base model and for all models that are fine-tuned on it.
   *
   * @throws EndpointUnknown when the worker's configuration has no endpoint of that name
   */
  for(base: Pick<BaseModel, 'endpoint' | 'name'>): Endpoint;
  /** What an experiment will ask of each of its endpoints. @throws EndpointUnknown */
  expect(experiment: string, config: ExperimentConfig): void;
  /**
   * What answers as a model: the endpoint of its base; for a whole model that was made here, one of its own.
   *
   * @throws EndpointUnknown, WholeModelsUnsupported, ArtifactMissing
   */
  of(model: Model): Promise<Endpoint>;
  /** Whether these models need more room than an endpoint has: then they take turns. @throws EndpointUnknown */
  takeTurns(models: readonly Model[]): boolean;
  /**
   * Has every model served by its endpoint, so that what cannot be served is found before anything is asked. Models that take turns are
   * loaded when they are asked.
   *
   * @throws BaseModelChanged, or as `Endpoint.serve` does
   */
  serve(models: readonly Model[], signal: AbortSignal, onBusy?: OnBusy): Promise<void>;
  /** Closes all of them; resolves when nothing that they started is left. */
  close(): Promise<void>;
}

/** @param configs the worker's endpoints by name, as `loadEndpoints` gives them */
export function createEndpoints(
  configs: Readonly<Record<string, EndpointConfig>>,
  deps: EndpointDeps,
): Endpoints {
  const opened = new Map<string, Endpoint>();
  /** By content address. */
  const wholeModels = new Map<string, Promise<Model>>();
  /** By the endpoint's name. */
  const engines = new Map<string, LiveEngines>();
  /** The endpoint of a base model and of the whole models that were made of it, by the names of the endpoint and the base model. */
  const expectations = new Map<string, Expectations>();
  /** Whether a fine-tune has the worker's device. */
  let yielded = false;
  const each = async (work: (endpoint: Endpoint) => Promise<void>): Promise<void> => {
    const done = await Promise.allSettled([...opened.values()].map(work));
    // All are through with it before an error of one of them is known.
    for (const each of done) if (each.status === 'rejected') throw each.reason;
  };

  /** @param madeOf the base model that a whole model was made of */
  function endpointFor(
    { endpoint: name, name: baseModel }: Pick<BaseModel, 'endpoint' | 'name'>,
    madeOf?: string,
  ): Endpoint {
    const id = JSON.stringify([name, baseModel]);
    const known = opened.get(id);
    if (known !== undefined) return known;
    const config = Object.hasOwn(configs, name) ? configs[name] : undefined;
    if (config === undefined) throw new EndpointUnknown(name, Object.keys(configs));
    const family = JSON.stringify([name, madeOf ?? baseModel]);
    const expected = expectations.get(family) ?? createExpectations();
    expectations.set(family, expected);
    const live = enginesOf(name, config);
    const endpoint = openEndpoint(config, baseModel, {
      ...deps,
      engines: madeOf === undefined ? live : { ...live, ...live.ofWholeModels },
      expectations: expected,
      held: yielded,
    });
    opened.set(id, endpoint);
    return endpoint;
  }

  function enginesOf(name: string, config: EndpointConfig): LiveEngines {
    const known = engines.get(name) ?? createLiveEngines(livingAtOnce(config));
    engines.set(name, known);
    return known;
  }

  /** A server has a whole model as it has a base model: it is the one of its folder. */
  async function endpointOf({ base, tuned }: Model): Promise<Endpoint> {
    if (tuned?.form !== 'full') return endpointFor(base);
    if (!endpointFor(base).servesForms.includes('full')) throw new WholeModelsUnsupported(base.endpoint);
    const whole = await wholeModel(base.endpoint, tuned.key);
    const endpoint = endpointFor(whole.base, base.name);
    return {
      ...endpoint,
      chat: (_, ...request) => endpoint.chat(whole, ...request),
      score: (_, ...request) => endpoint.score(whole, ...request),
    };
  }

  function wholeModel(endpoint: string, key: string): Promise<Model> {
    const identify = async () => untuned(await identifyWholeModel(endpoint, await deps.modelFolder(key)));
    const known = wholeModels.get(key) ?? identify();
    wholeModels.set(key, known);
    // One that was not there may be made again.
    known.catch(() => wholeModels.delete(key));
    return known;
  }

  function takeTurns(models: readonly Model[]): boolean {
    const loaded = new Map<string, Set<string>>();
    for (const { base, tuned } of models) {
      const ofEndpoint = loaded.get(base.endpoint) ?? new Set();
      loaded.set(base.endpoint, ofEndpoint.add(tuned?.form === 'full' ? tuned.key : base.name));
    }
    return models.some(({ base, tuned }) => {
      const { resident, residentWhole } = endpointFor(base);
      const most = tuned?.form === 'full' ? residentWhole : resident;
      return (loaded.get(base.endpoint)?.size ?? 0) > most;
    });
  }

  return {
    for: endpointFor,
    of: endpointOf,
    takeTurns,
    expect(experiment, config) {
      for (const { model, agents } of baseModelsOf(config))
        endpointFor({ endpoint: model.endpoint, name: model.model_name_or_path }).expect?.(
          experiment,
          servingNeeds(config, agents.length),
        );
    },
    async serve(models, signal, onBusy) {
      const turns = takeTurns(models);
      const bases = new Map(models.map(({ base }) => [JSON.stringify(base), base]));
      for (const [id, base] of bases) {
        await requireSameWeights(base);
        const itsModels = models.filter(
          ({ base: its, tuned }) => JSON.stringify(its) === id && tuned?.form !== 'full',
        );
        if (!turns && itsModels.length > 0) await endpointFor(base).serve(itsModels, signal, onBusy);
      }
    },
    yieldDevice(memoryToo) {
      yielded = true;
      return each((endpoint) => endpoint.yieldDevice(memoryToo));
    },
    takeDevice() {
      yielded = false;
      return each((endpoint) => endpoint.takeDevice());
    },
    close: () => each((endpoint) => endpoint.close()),
  };
}

/** A vLLM takes all the memory that there is. Without `resident`, three base models live at once, or one whole model that was made here. */
function livingAtOnce(config: EndpointConfig): LiveEnginesOptions {
  if (config.kind === 'openai') return {};
  if (config.resident !== undefined) return { most: config.resident };
  return config.kind === 'local' ? { most: 3, wholePlaces: 3 } : {};
}

/**
 * The endpoints of the worker's configuration, with the models of a store.
 *
 * @param patient whether servers that give no answer are waited for, as nobody waits for the answer
 * @throws InvalidConfig
 */
export function configuredEndpoints(
  store: Store,
  patient: boolean,
  configs: Readonly<Record<string, EndpointConfig>> = loadEndpoints(),
): Endpoints {
  return createEndpoints(configs, {
    patient,
    logFolder: store.logs,
    modelFolder: (key) => store.blobs.localCopy(store.model(key).name),
    hostedName: (key) => hostedName(store, key),
  });
}

export interface EndpointDeps {
  /** Where the store keeps the models that were fine-tuned here. */
  readonly modelFolder: ModelFolder;
  /** The names of the models that servers trained; without it there are none. */
  readonly hostedName?: HostedName;
  /** Where the logs of a supervised engine go: `runs/logs`. */
  readonly logFolder: string;
  /** Whether a server that gives no answer is waited for; true when not given. */
  readonly patient?: boolean;
  /** All supervised engines of an endpoint. */
  readonly engines?: LiveEngines;
  /** The needs of the experiments that ask a vLLM that the worker runs. */
  readonly expectations?: Expectations;
  /** Whether a fine-tune has the worker's device now: then an endpoint on that device does nothing before `takeDevice`. */
  readonly held?: boolean;
  /** Of a supervised engine; only tests and benchmarks set them. */
  readonly engine?: Partial<Omit<EngineProcessOptions, 'model' | 'servedModelName' | 'logFolder'>> & {
    readonly pool?: EnginePoolOptions;
  };
  /** Of a vLLM that the worker runs; only tests set them. */
  readonly vllm?: Pick<VllmProcessOptions, 'startTimeoutMs' | 'healthEveryMs' | 'graceMs'>;
}

/** The endpoint that `config` describes, for one base model. Nothing is started or reached before its first use. */
export function openEndpoint(config: EndpointConfig, baseModel: string, deps: EndpointDeps): Endpoint {
  switch (config.kind) {
    case 'local': {
      const { pool, ...engine } = deps.engine ?? {};
      const start = () =>
        createEngineProcess({
          ...engine,
          model: resolveModel(baseModel),
          servedModelName: baseModel,
          logFolder: deps.logFolder,
        });
      return createLocalEndpoint(
        config,
        baseModel,
        createEnginePool(start, pool),
        deps.modelFolder,
        deps.engines ?? createLiveEngines(),
        deps.held,
      );
    }
    case 'vllm': {
      const { url, ...own } = config;
      if (url !== undefined)
        return createVllmEndpoint({ ...config, url }, baseModel, deps.modelFolder, deps.patient ?? true);
      const vllm = createVllmProcess({
        ...own,
        ...deps.vllm,
        expectations: deps.expectations,
        model: resolveModel(baseModel),
        servedModelName: baseModel,
        logFolder: deps.logFolder,
      });
      const engines = deps.engines ?? createLiveEngines();
      return createOwnVllmEndpoint(config, baseModel, vllm, deps.modelFolder, engines, deps.held);
    }
    case 'openai':
    default:
      config.kind satisfies 'openai';
      return createOpenAiEndpoint(config, baseModel, deps.hostedName, deps.patient ?? true);
  }
}
