import type { RemoteConfig } from '../../config/endpoints.ts';
import { createExpectations } from '../vllm/needs.ts';
import { createLoadedAdapters, type ModelFolder } from './adapters.ts';
import type { Endpoint } from './endpoint.ts';
import { createRemoteEndpoint } from './remote.ts';

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
    // Those of the last iteration go as soon as those of the next are loaded.
    adapters: (client) => createLoadedAdapters(client, baseModel, modelFolder, () => wanted().adapters, true),
  });
  return { ...endpoint, expect };
}
