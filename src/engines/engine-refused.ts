/** The server refused the request (status 3xx or 4xx): the same request would be refused again. */
export class EngineRefused extends Error {
  override name = 'EngineRefused' as const;
  readonly url: string;
  readonly status: number;
  /** The server's own words, without any key. */
  readonly words: string;

  constructor(url: string, status: number, words: string) {
    super(`${url} refused with status ${status}: ${words}${hints.get(status) ?? ''}`);
    this.url = url;
    this.status = status;
    this.words = words;
  }
}

const hints: ReadonlyMap<number, string> = new Map([
  [401, ' (is the key in the variable that api_key_env names the right one?)'],
  [403, ' (may this key use this model?)'],
  [404, ' (is the model served there, and is the URL right?)'],
  [429, ' (waiting will not help)'],
]);
