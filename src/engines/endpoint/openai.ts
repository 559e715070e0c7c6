import type { EndpointConfig } from '../../config/endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { createRemoteEndpoint } from './remote.ts';

export type OpenAiConfig = Extract<EndpointConfig, { kind: 'openai' }>;

/**
 * The kind `openai`: any server of the OpenAI chat protocol. It answers with its own models only and does not say how likely the
 * tokens of a prompt are, so it serves experiments of 0 iterations, without the measures that need likelihoods.
 *
 * @param baseModel the server's name for the base model
 */
export function createOpenAiEndpoint(config: OpenAiConfig, baseModel: string): Endpoint {
  return createRemoteEndpoint({ config, baseModel, defaultSlots: 8, adapters: null });
}
