/**
 * How axios sends an engine's requests: by connections of undici's. The adapter that axios brings also does forms, proxies, redirects
 * and progress, none of which an engine needs, and costs several times the request itself; node:http, with streams, events and
 * timers for each request, costs twice what undici does (docs/benchmarks.md).
 */
import { type AxiosAdapter, AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { Client, type Dispatcher } from 'undici';
import { onAbort } from '../abort.ts';

export interface HttpAdapter {
  /**
   * Sends the config's `data`, JSON as text, with the headers of every request to an engine and the config's `Authorization`.
   * Gives whatever status comes, its body as a Buffer and, of the headers, `retry-after` and `location`. Throws an AxiosError
   * with the system's code and `request.reusedSocket`; the code is TIMEOUT after `timeoutMs`, ERR_CANCELED after an abort or
   * `close`, and TOO_LARGE for more than `largestAnswer`, the rest of which is not read.
   */
  readonly send: AxiosAdapter;
  /** Closes all connections; requests under way fail. */
  close(): void;
}

/**
 * @param timeoutMs how long an answer may take, from the request to its last byte
 * @param largestAnswer bytes
 */
export function createHttpAdapter(timeoutMs: number, largestAnswer: number): HttpAdapter {
  const targets = new Map<string, Target>();
  /** By origin. The last used is taken first: the others then time out on our side before a server closes them under a request. */
  const idle = new Map<string, Connection[]>();
  const underWay = new Set<Sending>();
  let timer: NodeJS.Timeout | undefined;

  const connect = (origin: string): Connection => {
    const client = new Client(origin, {
      maxResponseSize: largestAnswer,
      // The time for the whole is ours, not that for a part.
      connect: { timeout: 0 },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const connection = { client, used: false };
    client.on('disconnect', () => (connection.used = false));
    return connection;
  };

  /** One timer for all requests: each may take the same time, so that the first to be sent are the first to be late. */
  const endLate = (): void => {
    timer = undefined;
    for (const sending of underWay) {
      const leftMs = sending.began + timeoutMs - performance.now();
      if (leftMs > 0) {
        // The connections keep the process alive, as long as something is under way.
        timer = setTimeout(endLate, leftMs).unref();
        return;
      }
      sending.end('TIMEOUT');
    }
  };

  return {
    send: (config) =>
      new Promise<AxiosResponse<Buffer>>((resolve, reject) => {
        const { url = '', data } = config;
        let target = targets.get(url);
        if (target === undefined) targets.set(url, (target = targetOf(url)));
        const { origin, path, headers } = target;
        let free = idle.get(origin);
        if (free === undefined) idle.set(origin, (free = []));

        const sending = new Sending(config, free.pop() ?? connect(origin), free, underWay, resolve, reject);
        timer ??= setTimeout(endLate, timeoutMs).unref();
        const key = config.headers.get('Authorization');
        const authorization = typeof key === 'string' ? { authorization: key } : undefined;
        sending.dispatch(
          data === undefined
            ? { path, method: 'GET', headers: { ...headers, ...authorization } }
            : { path, method: 'POST', headers: { ...headers, ...json, ...authorization }, body: data },
        );
      }),
    close() {
      clearTimeout(timer);
      for (const sending of underWay) sending.end('ERR_CANCELED');
      for (const connections of idle.values())
        for (const { client } of connections.splice(0)) void client.destroy();
    },
  };
}

/** One connection, which its client opens, and opens again when it was closed. */
type Connection = {
  readonly client: Client;
  /** It has carried an answer since it was opened. */
  used: boolean;
};

/** What all requests to one URL share: to take it apart costs as much as to write a request's head. */
type Target = {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
};

function targetOf(url: string): Target {
  const { origin, pathname, search, username, password } = new URL(url);
  const named = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return {
    origin,
    path: `${pathname}${search}`,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'colloquy',
      ...(username === '' ? {} : { authorization: `Basic ${named.toString('base64')}` }),
    },
  };
}

const json = { 'content-type': 'application/json' };

/** A request under way. A class, as closures for each request cost more to make than all that they do. */
class Sending implements Dispatcher.DispatchHandler {
  /** As performance.now(). */
  readonly began = performance.now();
  readonly #config: InternalAxiosRequestConfig;
  readonly #connection: Connection;
  readonly #reused: boolean;
  readonly #idle: Connection[];
  readonly #underWay: Set<Sending>;
  readonly #resolve: (response: AxiosResponse<Buffer>) => void;
  readonly #reject: (error: AxiosError) => void;
  readonly #stopListening: () => void;
  #status = 0;
  #statusText = '';
  #headers: AxiosResponse['headers'] = {};
  readonly #chunks: Buffer[] = [];

  constructor(
    config: InternalAxiosRequestConfig,
    connection: Connection,
    idle: Connection[],
    underWay: Set<Sending>,
    resolve: (response: AxiosResponse<Buffer>) => void,
    reject: (error: AxiosError) => void,
  ) {
    this.#config = config;
    this.#connection = connection;
    this.#reused = connection.used;
    this.#idle = idle;
    this.#underWay = underWay;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal } = config;
    underWay.add(this);
    this.#stopListening =
      signal instanceof AbortSignal ? onAbort(signal, () => this.end('ERR_CANCELED')) : () => undefined;
  }

  dispatch(options: Dispatcher.DispatchOptions): void {
    this.#connection.client.dispatch(options, this);
  }

  /** Gives up, and the connection with it. */
  end(code: string): void {
    this.#fail('ended here', code);
  }

  // Undici asks for it.
  onRequestStart(): void {}

  onResponseStart(
    _: unknown,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    text?: string,
  ): void {
    const { 'retry-after': retryAfter, location } = headers;
    this.#status = status;
    this.#statusText = text ?? '';
    if (status >= 300) this.#headers = { 'retry-after': retryAfter, location };
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (!this.#stop()) return;
    this.#connection.used = true;
    this.#idle.push(this.#connection);
    const [first = Buffer.alloc(0)] = this.#chunks;
    this.#resolve({
      data: this.#chunks.length > 1 ? Buffer.concat(this.#chunks) : first,
      status: this.#status,
      statusText: this.#statusText,
      headers: this.#headers,
      config: this.#config,
    });
  }

  onResponseError(_: unknown, { message, code }: NodeJS.ErrnoException): void {
    this.#fail(message, code === undefined ? code : (ordinaryCodes[code] ?? code));
  }

  #fail(message: string, code: string | undefined): void {
    if (!this.#stop()) return;
    void this.#connection.client.destroy();
    // Without the config, which has the key.
    this.#reject(new AxiosError(message, code, undefined, { reusedSocket: this.#reused }));
  }

  /** False when it has ended before. */
  #stop(): boolean {
    this.#stopListening();
    return this.#underWay.delete(this);
  }
}

/** Undici's own codes, as the system, Node's parser and this file name the same. */
const ordinaryCodes: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: 'ECONNRESET',
  UND_ERR_HEADERS_OVERFLOW: 'HPE_HEADER_OVERFLOW',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'TOO_LARGE',
};
