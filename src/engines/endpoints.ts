import { InvalidConfig } from '../config/invalid-config.ts';
import type { EndpointConfig } from '../config/endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { type EndpointDeps, openEndpoint } from './open-endpoint.ts';

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
