/** Can an endpoint answer, and does it have the model? Nothing is started to find that out. For `colloquy doctor` and `colloquy validate`. */
import { type BaseModelOfConfig, modelLocation } from '../../config/agents.ts';
import { type EndpointConfig, urlsOf, type VllmConfig } from '../../config/endpoints.ts';
import type { ExperimentConfig } from '../../config/experiment.ts';
import { formOf } from '../../config/fine-tune.ts';
import { tools } from '../../config/installation.ts';
import { pathExists } from '../../config/load.ts';
import type { Store } from '../../store/store.ts';
import { counted, gibibytes, listed } from '../../text/figures.ts';
import { modelFacts, servingDeviceHere } from '../vllm/device.ts';
import { freeOn, leastMemory } from '../vllm/flags.ts';
import { findVllm } from '../vllm/installed.ts';
import { deviceName, embeddedNeeds, servingNeeds } from '../vllm/needs.ts';
import { resolveModel } from './base-model.ts';
import { configuredEndpoints } from './open.ts';

/**
 * Asks a server that somebody else started whether it answers and has the model. A server that the worker starts itself is not asked: only its
 * program and the model are looked for.
 *
 * @param name of the endpoint
 * @returns what was found out about the model there, as a clause
 * @throws the errors of the endpoint: EngineUnreachable, ModelNotServed and others
 */
export async function reachEndpoint(
  name: string,
  endpoint: EndpointConfig,
  model: string,
  store: Store,
): Promise<string> {
  if (urlsOf(endpoint).length === 0) {
    // It would take minutes to start it only to hear that it has the model.
    if (endpoint.kind === 'vllm') await findVllm(endpoint.command);
    return modelLocation(model) !== model || pathExists(model)
      ? `${model} is there`
      : `${model} is a hub id: the worker's engine will load it; this was not tried here`;
  }
  const endpoints = configuredEndpoints(store, false, { [name]: endpoint });
  try {
    await endpoints.for({ endpoint: name, name: model }).check(AbortSignal.timeout(30_000));
  } finally {
    await endpoints.close();
  }
  return `the server answers and has ${model}`;
}

/** What would answer as a base model of an experiment, in words. @throws the reason why nothing can */
export async function endpointText(
  of: BaseModelOfConfig,
  endpoint: EndpointConfig,
  config: ExperimentConfig,
  store: Store,
): Promise<string> {
  const { endpoint: name, model_name_or_path: model } = of.model;
  if (endpoint.kind === 'local') {
    const endpoints = configuredEndpoints(store, false, { [name]: endpoint });
    const needs = await embeddedNeeds(config, name, endpoints.for({ endpoint: name, name: model }));
    return `the embedded engine: ${tools().python}${needs === null ? '' : `; it needs ${needs}`}`;
  }
  if (endpoint.kind === 'vllm' && endpoint.url === undefined) return ownVllmText(endpoint, config, of);
  const urls = urlsOf(endpoint);
  // First asks each server alone, because an endpoint of several goes on without one. Then finds out whether they have the same model.
  for (const url of urls.length === 1 ? urls : [...urls, urls])
    await reachEndpoint(name, { ...endpoint, url }, model, store);
  return `${listed(urls)} ${urls.length === 1 ? 'answers' : 'answer'}`;
}

/** @throws the reason why it could not be started */
async function ownVllmText(
  endpoint: VllmConfig,
  config: ExperimentConfig,
  { model, agents }: BaseModelOfConfig,
): Promise<string> {
  const { version } = await findVllm(endpoint.command);
  const device = await servingDeviceHere(version, endpoint.devices);
  const { weights } = await modelFacts(resolveModel(model.model_name_or_path), device.kind === 'cpu');
  const least = leastMemory({ weights, device });
  const free = freeOn(device, endpoint.resident ?? 1);
  const { adapters, rank, context } = servingNeeds(config, agents.length);
  const memory = `${least === null ? 'an unknown part' : `at least ${gibibytes(least)} GiB`} of ${deviceName(device)}, of which ${gibibytes(free)} GiB are free`;
  if (least !== null && least > free) throw new Error(`it needs ${memory}`);
  const whole = config.iterations > 0 && formOf(config.fine_tune) === 'full';
  const tuned = whole
    ? `whole models, ${endpoint.resident ?? 1} at a time`
    : adapters > 0
      ? `${counted(adapters, 'adapter')} of rank ${rank}`
      : 'no adapters';
  return `vLLM ${version} on ${device.kind === 'cpu' ? 'the CPU' : deviceName(device)}: ${tuned}, a context of ${context} tokens, ${memory}`;
}
