/** The endpoints that a worker has in use. Nothing else looks at an endpoint's kind. */
import { type EndpointConfig, loadEndpoints } from '../../config/endpoints.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import type { BaseModel, Model } from '../../store/models.ts';
import type { Store } from '../../store/store.ts';
import { EndpointUnknown } from '../errors.ts';
import { createEngineProcess, type EngineProcessOptions } from '../process/engine-process.ts';
import { createLiveEngines, type LiveEngines } from '../process/live-engines.ts';
import { servingNeeds } from '../vllm/needs.ts';
import { createVllmProcess, type VllmProcessOptions } from '../vllm/vllm-process.ts';
import type { ModelFolder } from './adapters.ts';
import { requireSameWeights, resolveModel } from './base-model.ts';
import type { Endpoint } from './endpoint.ts';
import { createLocalEndpoint } from './local.ts';
import { createOwnVllmEndpoint } from './own-vllm.ts';
import { createOpenAiEndpoint } from './remote.ts';
import type { OnBusy } from './server-requests.ts';
import { createVllmEndpoint } from './vllm.ts';

/** One endpoint for each base model at each place, so at most one engine for each base model (live-engines.ts limits how many live at once). */
export interface Endpoints extends Pick<Endpoint, 'yieldDevice' | 'takeDevice'> {
  /**
   * What answers for a base model and for all models that are fine-tuned on it.
   *
   * @throws EndpointUnknown when the worker's configuration has no endpoint of that name
   */
  for(base: Pick<BaseModel, 'endpoint' | 'name'>): Endpoint;
  /** What an experiment will ask of its endpoint. @throws EndpointUnknown */
  expect(experiment: string, config: ExperimentConfig): void;
  /**
   * Has every model served by its endpoint.
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
  const engines = deps.engines ?? createLiveEngines();
  const each = async (work: (endpoint: Endpoint) => Promise<void>): Promise<void> => {
    await Promise.all([...opened.values()].map(work));
  };

  function endpointFor({ endpoint: name, name: baseModel }: Pick<BaseModel, 'endpoint' | 'name'>): Endpoint {
    const id = JSON.stringify([name, baseModel]);
    const known = opened.get(id);
    if (known !== undefined) return known;
    const config = Object.hasOwn(configs, name) ? configs[name] : undefined;
    if (config === undefined) throw new EndpointUnknown(name, Object.keys(configs));
    const endpoint = openEndpoint(config, baseModel, { ...deps, engines });
    opened.set(id, endpoint);
    return endpoint;
  }

  return {
    for: endpointFor,
    expect(experiment, config) {
      const { endpoint, model_name_or_path: name } = config.model;
      endpointFor({ endpoint, name }).expect?.(experiment, servingNeeds(config));
    },
    async serve(models, signal, onBusy) {
      const bases = new Map(models.map(({ base }) => [JSON.stringify(base), base]));
      for (const [id, base] of bases) {
        await requireSameWeights(base);
        const itsModels = models.filter((model) => JSON.stringify(model.base) === id);
        await endpointFor(base).serve(itsModels, signal, onBusy);
      }
    },
    yieldDevice: () => each((endpoint) => endpoint.yieldDevice()),
    takeDevice: () => each((endpoint) => endpoint.takeDevice()),
    close: () => each((endpoint) => endpoint.close()),
  };
}

/**
 * The endpoints of the worker's configuration, with the models of a store.
 *
 * @param patient whether servers that give no answer are waited for, as nobody waits for the answer
 * @throws InvalidConfig
 */
export function configuredEndpoints(store: Store, patient: boolean): Endpoints {
  return createEndpoints(loadEndpoints(), {
    patient,
    logFolder: store.logs,
    modelFolder: (key) => store.blobs.localCopy(store.model(key).name),
  });
}

export interface EndpointDeps {
  /** Where the store keeps the models that were fine-tuned here. */
  readonly modelFolder: ModelFolder;
  /** Where the logs of a supervised engine go: `runs/logs`. */
  readonly logFolder: string;
  /** Whether a server that gives no answer is waited for; true when not given. */
  readonly patient?: boolean;
  /** All supervised engines of the worker. */
  readonly engines?: LiveEngines;
  /** Of a supervised engine; only tests and benchmarks set them. */
  readonly engine?: Partial<Omit<EngineProcessOptions, 'model' | 'servedModelName' | 'logFolder'>>;
  /** Of a vLLM that the worker runs; only tests set them. */
  readonly vllm?: Pick<VllmProcessOptions, 'startTimeoutMs' | 'healthEveryMs' | 'graceMs'>;
}

/** The endpoint that `config` describes, for one base model. Nothing is started or reached before its first use. */
export function openEndpoint(config: EndpointConfig, baseModel: string, deps: EndpointDeps): Endpoint {
  switch (config.kind) {
    case 'local': {
      const engine = createEngineProcess({
        ...deps.engine,
        model: resolveModel(baseModel),
        servedModelName: baseModel,
        logFolder: deps.logFolder,
      });
      return createLocalEndpoint(
        config,
        baseModel,
        engine,
        deps.modelFolder,
        deps.engines ?? createLiveEngines(),
      );
    }
    case 'vllm': {
      const { url, ...own } = config;
      if (url !== undefined)
        return createVllmEndpoint({ ...config, url }, baseModel, deps.modelFolder, deps.patient ?? true);
      const vllm = createVllmProcess({
        ...own,
        ...deps.vllm,
        model: resolveModel(baseModel),
        servedModelName: baseModel,
        logFolder: deps.logFolder,
      });
      const engines = deps.engines ?? createLiveEngines();
      return createOwnVllmEndpoint(config, baseModel, vllm, deps.modelFolder, engines);
    }
    case 'openai':
    default:
      config.kind satisfies 'openai';
      return createOpenAiEndpoint(config, baseModel, deps.patient ?? true);
  }
}
