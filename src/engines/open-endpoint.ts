import type { EndpointConfig } from '../config/endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { createEngineProcess, type EngineProcessOptions } from './engine-process.ts';
import { createLocalEndpoint } from './local-endpoint.ts';
import { resolveModel } from './resolve-model.ts';
import { createUrlEndpoint } from './url-endpoint.ts';

export interface EndpointDeps {
  /** Where the logs of a supervised engine go: `runs/logs`. */
  readonly logFolder: string;
  /** Of a supervised engine; only tests and benchmarks set them. */
  readonly engine?: Partial<Omit<EngineProcessOptions, 'model' | 'servedModelName' | 'logFolder'>>;
}

/** The endpoint that `config` describes, for one base model. Nothing is started or reached before its first use. */
export function openEndpoint(config: EndpointConfig, baseModel: string, deps: EndpointDeps): Endpoint {
  if (config.kind !== 'local') return createUrlEndpoint(config, baseModel);
  const engine = createEngineProcess({
    ...deps.engine,
    model: resolveModel(baseModel),
    servedModelName: baseModel,
    logFolder: deps.logFolder,
  });
  return createLocalEndpoint(config, baseModel, engine);
}
