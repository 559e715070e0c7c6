import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { EndpointConfig } from '../../config/endpoints.ts';
import { InvalidConfig } from '../../config/faults.ts';
import { projectRoot } from '../../config/installation.ts';
import { createEngineProcess, type EngineProcessOptions } from '../process/engine-process.ts';
import type { Endpoint } from './endpoint.ts';
import { createLocalEndpoint } from './local.ts';
import { createUrlEndpoint } from './remote.ts';
import { ColloquyError, exitCodes } from '../../errors.ts';

/** The endpoints that a worker has in use: one for each (endpoint, base model), so one engine for each base model. */
export interface Endpoints {
  /** @throws InvalidConfig when the worker's configuration has no endpoint of that name */
  get(name: string, baseModel: string): Endpoint;
  /** Closes all of them; resolves when nothing that they started is left. */
  close(): Promise<void>;
}

/** @param configs the worker's endpoints by name, as `loadEndpoints` gives them */
export function createEndpoints(
  configs: Readonly<Record<string, EndpointConfig>>,
  deps: EndpointDeps,
): Endpoints {
  const open = new Map<string, Endpoint>();
  return {
    get(name, baseModel) {
      const key = JSON.stringify([name, baseModel]);
      const known = open.get(key);
      if (known !== undefined) return known;
      const config = Object.hasOwn(configs, name) ? configs[name] : undefined;
      if (config === undefined) throw unknownEndpoint(name, Object.keys(configs));
      const endpoint = openEndpoint(config, baseModel, deps);
      open.set(key, endpoint);
      return endpoint;
    },
    async close() {
      await Promise.all([...open.values()].map((endpoint) => endpoint.close()));
    },
  };
}

function unknownEndpoint(name: string, known: readonly string[]): InvalidConfig {
  const message =
    `no endpoint is called ${JSON.stringify(name)} where this worker runs; it knows ${known.join(', ')}. ` +
    `Add it to configs/endpoints.yaml (or the file that COLLOQUY_ENDPOINTS names) and start the worker again`;
  return new InvalidConfig([{ path: 'model.endpoint', message }]);
}

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

/**
 * What the Python programs load for `model_name_or_path`: the absolute path when it is a folder (relative to the project's
 * root, or absolute), else the name itself, a hub id.
 *
 * @throws ModelFolderMissing when it is no folder that is there, and no hub id either
 */
export function resolveModel(modelNameOrPath: string): string {
  const path = resolve(projectRoot, modelNameOrPath);
  if (existsSync(path)) return path;
  if (hubId.test(modelNameOrPath)) return modelNameOrPath;
  throw new ModelFolderMissing(modelNameOrPath, path);
}

/** Told before an engine is started: loading Python's libraries only to hear the same takes long. */
export class ModelFolderMissing extends ColloquyError {
  override name = 'ModelFolderMissing' as const;
  readonly retryable = false;
  readonly exitCode = exitCodes.failed;
  readonly model: string;
  /** Where it was looked for. */
  readonly path: string;

  constructor(model: string, path: string) {
    super(
      `There is no folder ${path}, and "${model}" is no hub id such as Qwen/Qwen3-4B. ` +
        `Correct model_name_or_path, or put the model there.`,
    );
    this.model = model;
    this.path = path;
  }
}

/** NAME or OWNER/NAME: https://huggingface.co/docs/huggingface_hub (validate_repo_id). */
const hubId = /^[A-Za-z0-9_][\w.-]{0,95}(?:\/[A-Za-z0-9_][\w.-]{0,95})?$/;
