/** The server kept asking for patience (429 or 503) for longer than a request waits. Trying again later may help. */
export class EngineBusy extends Error {
  override name = 'EngineBusy' as const;
  readonly url: string;
  readonly status: number;
  /** How long the server, or the usual back-off, wants the next try to wait. Milliseconds. */
  readonly retryAfterMs: number;

  constructor(url: string, status: number, waitedMs: number, retryAfterMs: number, words: string) {
    super(
      `${url} answered ${status} for ${Math.round(waitedMs / 1000)} s and wants another ` +
        `${Math.ceil(retryAfterMs / 1000)} s: ${words}. Lower max_concurrency of this endpoint, or raise the server's limits.`,
    );
    this.url = url;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}
