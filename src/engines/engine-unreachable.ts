/** No answer came: nobody listens, the connection broke, or it took too long. Trying again may help. */
export class EngineUnreachable extends Error {
  override name = 'EngineUnreachable' as const;
  readonly url: string;
  /** What the system said: `ECONNREFUSED`, `ECONNRESET`, `ENOTFOUND`, or `timeout`. */
  readonly reason: string;

  constructor(url: string, reason: string, hint = 'Is the server running, and is this its URL?') {
    super(`No answer from ${url} (${reason}). ${hint}`);
    this.url = url;
    this.reason = reason;
  }
}
