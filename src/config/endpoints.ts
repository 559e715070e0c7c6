/**
 * Where does a worker find the models? An experiment names an endpoint, and this file of the worker defines it; it is never part of an
 * experiment. Keys stay in the environment: the file has only the NAME of a variable.
 */
import { z } from 'zod';
import type { ModelForm } from './fine-tune.ts';
import { configFaults, InvalidConfig } from './faults.ts';
import { loadWorkerFile, type WorkerFile, workerFilePath } from './load.ts';

/** A key that stands where its variable's name belongs would be repeated by messages, so only names of this form are names. */
const keyVariableName = /(^|_)(API_?KEYS?|KEYS?|TOKENS?|SECRETS?|PASSWORDS?|PAT|AUTH)(_|$)/i;

const maxConcurrency = z
  .int()
  .min(1)
  .max(4096)
  .optional()
  .describe('The greatest number of requests at the same time.');

export const oneUrl = z
  .string()
  .regex(
    /^https?:\/\/[^@?#\s]+$/,
    'expected http(s)://host[:port][/path], without a user name, password or query',
  )
  .refine((url) => !keyInPath(url), {
    message:
      'a part of its path looks like a key. Messages and logs show the URL, so put the key into an environment variable and set api_key_env to its name',
  })
  .describe('The base address of the server, with its /v1 if it has one.');

/** One server, or several that serve the same model in the same way. */
const url = z
  .union([
    oneUrl,
    z
      .array(oneUrl)
      .max(64)
      .refine((urls) => urls.length > 0, { message: 'may not be empty' })
      .refine((urls) => new Set(urls.map(withPath)).size === urls.length, {
        message: 'names a server twice',
      }),
  ])
  .describe(
    'The base address of the server, or a list of the addresses of servers that serve the same model.',
  );

/** A bare `http://host:port` means the `/v1` under which all such servers answer. */
export function withPath(url: string): string {
  return /^https?:\/\/[^/]+\/*$/.test(url) ? `${url.replace(/\/+$/, '')}/v1` : url;
}

export const apiKeyEnv = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    'expected the NAME of an environment variable that holds the key, not the key',
  )
  .regex(
    keyVariableName,
    'expected a name with KEY, TOKEN, SECRET or AUTH in it (e.g. SOME_API_KEY): a key itself does not belong in this file',
  )
  .optional();

const resident = z
  .int()
  .min(1)
  .max(64)
  .optional()
  .describe(
    'How many base models and whole models are in memory at once; more of them take turns. Default: 1 for a vLLM; for `local` 3 base models, each with its adapters, or one whole model that was made here.',
  );

const patienceMinutes = z
  .int()
  .min(0)
  .max(7 * 24 * 60)
  .optional()
  .describe(
    'How long a server that gives no answer is waited for, because it starts again. Then the step waits for a person.',
  );

/** What the kinds that may be servers of somebody else have, beside their `url`. */
const server = { api_key_env: apiKeyEnv, max_concurrency: maxConcurrency, patience_minutes: patienceMinutes };

/** A server that somebody else started, or several of them. */
export type RemoteConfig = {
  readonly kind: 'vllm' | 'openai';
  readonly url: string | readonly string[];
} & Readonly<z.infer<z.ZodObject<typeof server>>>;

/** The worker finds its own server by these flags. vLLM reads `_` as `-`. */
const ownFlags = /^--(host|port|uds|served[-_]model[-_]name|api[-_]key|root[-_]path|ssl[-_].*)(=|$)/;

/** With `url`, a server that somebody else started; without it, one that the worker starts. */
const vllmSchema = z
  .strictObject({
    kind: z.literal('vllm'),
    url: url.optional(),
    ...server,
    command: z
      .string()
      .min(1)
      .optional()
      .describe(
        'The vllm program: a path, or a name on PATH. Default: `vllm` on PATH, else the one of `uv tool`.',
      ),
    devices: z
      .array(z.int().min(0).max(1023))
      .refine((devices) => devices.length > 0, {
        message: 'may not be empty: leave it out for the first card that the worker has',
      })
      .refine((devices) => new Set(devices).size === devices.length, {
        message: 'names a card twice: each card holds one part of the model',
      })
      .max(64)
      .optional()
      .describe(
        'The graphics cards that share the model, by index. Default: the first one that the worker has. Cards that the worker’s own CUDA_VISIBLE_DEVICES leaves out are kept during fine-tunes.',
      ),
    resident,
    args: z
      .array(
        z
          .string()
          .max(4_096)
          .refine((flag) => !ownFlags.test(flag), {
            message:
              'the worker has to set this flag itself, because it chooses the address and the name of its server',
          }),
      )
      .optional()
      .describe('More flags of `vllm serve`. They win over those that the worker computes.'),
  })
  .superRefine((endpoint, context) => {
    const { url: address, ...given } = endpoint;
    const wrong =
      address === undefined
        ? (['api_key_env', 'patience_minutes'] as const)
        : (['command', 'devices', 'resident', 'args'] as const);
    for (const key of wrong) {
      if (given[key] === undefined) continue;
      const message =
        address === undefined
          ? 'has a meaning only with `url`: the worker’s own server needs no key and is waited for while it starts'
          : 'has a meaning only without `url`: it is about a server that the worker starts';
      context.addIssue({ code: 'custom', path: [key], message });
    }
  });
export type VllmConfig = z.infer<typeof vllmSchema>;

/** What services write before their keys, and a part of the path behind which a key follows. */
const keyBeginning =
  /^(?:(?:sk|pk|rk|hf|gsk|ghp|gho|ghs|glpat|xai|pplx|r8|tok|key|token|secret|bearer|basic)[-_=:]|github_pat_|nvapi-|AIza|AKIA|eyJ)/i;
const keyHeading = /^(?:(?:api|access|auth)?[-_]?(?:key|token|secret)|bearer|password)$/i;

/** Whether a part of a URL's path looks like a key: it begins like one, follows a word such as `token`, or seems random. */
function keyInPath(url: string): boolean {
  const [, ...parts] = url.replace(/^https?:\/\//i, '').split('/');
  const read = parts.map((part) =>
    part.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  );
  return read.some(
    (part, place) =>
      keyBeginning.test(part) || (part !== '' && keyHeading.test(read[place - 1] ?? '')) || seemsRandom(part),
  );
}

/** Words and dates have dashes between them; a random text has 16 letters and digits in a row, or is a UUID. */
function seemsRandom(part: string): boolean {
  const run = part
    .split(/[^A-Za-z0-9]+/)
    .some((piece) => piece.length >= 16 && /[A-Za-z]/.test(piece) && /\d/.test(piece));
  return run || /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(part);
}

const endpointConfigSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('local'),
    max_concurrency: maxConcurrency,
    resident,
  }),
  vllmSchema,
  z.strictObject({
    kind: z.literal('openai'),
    url,
    ...server,
  }),
]);
export type EndpointConfig = z.infer<typeof endpointConfigSchema>;

/**
 * The forms of fine-tuned models that an endpoint serves. Only a server that the worker starts can be started with another whole model. A server
 * of kind `openai` has the models that it trained itself.
 */
export function servedForms({
  kind,
  url: address,
}: {
  readonly kind: EndpointConfig['kind'];
  readonly url?: unknown;
}): readonly ModelForm[] {
  if (kind === 'openai') return ['hosted'];
  return kind === 'local' || address === undefined ? ['adapter', 'full'] : ['adapter'];
}

/** The addresses of servers that somebody else started; none where the worker starts the server. */
export function urlsOf(endpoint: EndpointConfig): string[] {
  return 'url' in endpoint ? [endpoint.url ?? []].flat() : [];
}

/** The endpoint that such settings describe. @throws InvalidConfig with every fault, without showing values */
export function endpointOf(settings: object): EndpointConfig {
  const parsed = endpointConfigSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  throw new InvalidConfig(
    configFaults(endpointConfigSchema, settings, parsed.error, { showValues: false }),
    'The endpoint',
  );
}

const endpointsSchema = z.record(z.string(), endpointConfigSchema);

/** No value is shown, because a key could have been put in the wrong place. */
const endpointsFile: WorkerFile = {
  variable: 'COLLOQUY_ENDPOINTS',
  file: 'endpoints.yaml',
  showValues: false,
};

/** The file that `loadEndpoints` reads. */
export function endpointsPath(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  return workerFilePath(endpointsFile, environment);
}

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
