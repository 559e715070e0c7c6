/**
 * Where does a worker find the models? An experiment names an endpoint, and this file of the worker defines it; it is never part of an
 * experiment. Keys stay in the environment: the file has only the NAME of a variable.
 */
import { z } from 'zod';
import { loadWorkerFile, type WorkerFile } from './load.ts';

/** Matches environment variables that hold secrets. They are removed from the environment of child processes. */
export const secretVariableName = /(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD)(_|$)/i;

const maxConcurrency = z
  .int()
  .min(1)
  .max(4096)
  .optional()
  .describe('The greatest number of requests at the same time.');

const remote = {
  url: z
    .string()
    .regex(
      /^https?:\/\/[^@?#\s]+$/,
      'expected http(s)://host[:port][/path], without a user name, password or query',
    )
    .describe('The base address of the server, with its /v1 if it has one.'),
  api_key_env: z
    .string()
    .regex(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      'expected the NAME of an environment variable that holds the key, not the key',
    )
    .regex(
      secretVariableName,
      'expected a name with KEY, TOKEN or SECRET in it (e.g. SOME_API_KEY), so that it can be hidden from engines and trainers',
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

/** No value is shown, because a key could have been put in the wrong place. */
const endpointsFile: WorkerFile = {
  variable: 'COLLOQUY_ENDPOINTS',
  file: 'endpoints.yaml',
  showValues: false,
};

/**
 * The endpoints by name: `local`, and those of the file that COLLOQUY_ENDPOINTS names (else `configs/endpoints.yaml`, which
 * need not be there).
 *
 * @throws InvalidConfig with every fault
 */
export function loadEndpoints(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, EndpointConfig> {
  return { local: { kind: 'local' }, ...loadWorkerFile(endpointsSchema, endpointsFile, environment) };
}
