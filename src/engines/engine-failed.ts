/** The server failed (status 5xx). Trying again may help. */
export class EngineFailed extends Error {
  override name = 'EngineFailed' as const;
  readonly url: string;
  readonly status: number;
  /** The server's own words, without any key. */
  readonly words: string;

  constructor(url: string, status: number, words: string) {
    super(`${url} failed with status ${status}: ${words}. Its log says more.`);
    this.url = url;
    this.status = status;
    this.words = words;
  }
}
