import { join, resolve } from 'node:path';
import { z } from 'zod';
import { configFaults, InvalidConfig } from './faults.ts';
import { projectRoot } from './installation.ts';
import { isThere, readYaml } from './load.ts';

/** Of an environment variable that holds a key, by which it is kept from the programs that a worker starts. */
export const secretVariableName = /(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD)(_|$)/i;

/**
 * Where a worker finds the models: its own configuration, never part of an experiment. An experiment names an endpoint; this
 * says what that is. Keys stay in the environment: only the NAME of a variable stands in the file.
 */
const maxConcurrency = z.int().min(1).max(4096).optional().describe('Most requests in flight.');

const remote = {
  url: z
    .string()
    .regex(
      /^https?:\/\/[^@?#\s]+$/,
      'expected http(s)://host[:port][/path], without a user name, password or query',
    )
    .describe('The server’s base, with its /v1 where it has one.'),
  api_key_env: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      'expected the NAME of an environment variable that holds the key, not the key',
    )
    .regex(
      secretVariableName,
      'expected a name with KEY, TOKEN or SECRET in it (SOME_API_KEY): by that the variable is kept from engines and trainers',
    )
    .optional(),
  max_concurrency: maxConcurrency,
};

const endpointConfigSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local'), max_concurrency: maxConcurrency }),
  z.strictObject({ kind: z.literal('vllm'), ...remote }),
  z.strictObject({ kind: z.literal('openai'), ...remote }),
]);
export type EndpointConfig = z.infer<typeof endpointConfigSchema>;

const endpointsSchema = z.record(z.string(), endpointConfigSchema);

/**
 * The endpoints by name: `local`, and those of the file that COLLOQUY_ENDPOINTS names (else `configs/endpoints.yaml`, which
 * need not be there).
 *
 * @throws InvalidConfig with every fault; no value of the file is in it, as a key could have been put in the wrong place
 */
export function loadEndpoints(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, EndpointConfig> {
  const named = environment['COLLOQUY_ENDPOINTS'];
  const path = named ? resolve(named) : join(projectRoot, 'configs', 'endpoints.yaml');
  const content = named || isThere(path) ? readYaml(path) : {};
  const parsed = endpointsSchema.safeParse(content);
  if (!parsed.success) {
    throw new InvalidConfig(
      configFaults(endpointsSchema, content, parsed.error, { showValues: false }),
      path,
    );
  }
  return { local: { kind: 'local' }, ...parsed.data };
}
