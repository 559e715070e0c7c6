/** Keys live in environment variables only: read when a request is sent, and struck out of whatever a server says. */

/**
 * The key in the environment variable `variable`; undefined when no variable is named.
 *
 * @throws ApiKeyMissing when the variable is unset, empty, or could not be sent in an HTTP header
 */
export function readApiKey(variable: string | undefined): string | undefined {
  if (variable === undefined) return undefined;
  const key = process.env[variable]?.trim();
  if (key === undefined || key === '') throw new ApiKeyMissing(variable, 'is not set');
  if (!/^[\x21-\x7e]+$/.test(key)) throw new ApiKeyMissing(variable, 'holds characters that no key has');
  return key;
}

/** `text` without the key, as it is and as JSON or a URL would write it, for servers that repeat what they were sent. */
export function withoutKey(text: string, key: string | undefined): string {
  if (key === undefined) return text;
  const written = [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)];
  return written.reduce((shown, each) => shown.replaceAll(each, '[key]'), text);
}

/** The environment variable that an endpoint names for its key is of no use. */
export class ApiKeyMissing extends Error {
  override name = 'ApiKeyMissing' as const;
  /** Name of the environment variable. */
  readonly variable: string;

  constructor(variable: string, fault: string) {
    super(
      `The environment variable ${variable}, which the endpoint's api_key_env names, ${fault}. Set it where the worker runs.`,
    );
    this.variable = variable;
  }
}
