import type { EndpointConfig } from '../config/endpoints.ts';
import { configuredEndpoints } from '../engines/endpoint/open.ts';
import type { Store } from '../store/store.ts';

/**
 * Asks a server whether it answers and has the model. An embedded engine is not started for that.
 *
 * @param name of an endpoint that the configuration has
 * @throws the errors of the endpoint: EngineUnreachable, ModelNotServed and others
 */
export async function reachEndpoint(
  name: string,
  { kind }: Pick<EndpointConfig, 'kind'>,
  model: string,
  store: Store,
): Promise<void> {
  if (kind === 'local') return;
  const endpoints = configuredEndpoints(store);
  try {
    await endpoints.for({ endpoint: name, name: model }).check(AbortSignal.timeout(30_000));
  } finally {
    await endpoints.close();
  }
}
