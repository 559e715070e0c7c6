/**
 * How axios sends an engine's requests: straight over node:http. The adapter that axios brings also does forms, proxies, redirects
 * and progress, none of which an engine needs, and costs several times the request itself (docs/benchmarks.md).
 */
import { Agent as HttpAgent, type ClientRequest, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { type AxiosAdapter, AxiosError, type AxiosResponse, type InternalAxiosRequestConfig } from 'axios';
import { onAbort } from './on-abort.ts';

export interface HttpAdapter {
  /**
   * Gives whatever status comes, its body as a Buffer and, of its headers, `retry-after` and `location`. Throws an AxiosError with the system's code; TIMEOUT after the config's
   * `timeout` (from the request to the last byte), ERR_CANCELED after an abort or `close`, and TOO_LARGE for more than its
   * `maxContentLength`, the rest of which is not read.
   */
  readonly send: AxiosAdapter;
  /** Closes all connections; requests under way fail. */
  close(): void;
}

export function createHttpAdapter(): HttpAdapter {
  // The last used connection first: idle ones then time out on our side before a server closes them under a request.
  const agentOptions = { keepAlive: true, scheduling: 'lifo' } as const;
  const httpAgent = new HttpAgent(agentOptions);
  const httpsAgent = new HttpsAgent(agentOptions);
  const underWay = new Set<(code: string) => void>();

  const open = (config: InternalAxiosRequestConfig): ClientRequest => {
    const { url = '', method = 'get' } = config;
    const options = { method: method.toUpperCase(), headers: config.headers.toJSON() };
    return url.startsWith('https:')
      ? requestHttps(url, { ...options, agent: httpsAgent })
      : requestHttp(url, { ...options, agent: httpAgent });
  };

  return {
    send: async (config) =>
      new Promise<AxiosResponse<Buffer>>((resolve, reject) => {
        const request = open(config);
        const chunks: Buffer[] = [];
        let bytes = 0;

        const stopWaiting = (): void => {
          clearTimeout(timer);
          stopListening();
          underWay.delete(end);
        };
        const fail = ({ message, code }: NodeJS.ErrnoException): void => {
          stopWaiting();
          // Without the config, which has the key.
          reject(new AxiosError(message, code, undefined, request));
        };
        const end = (code: string): void => {
          request.destroy();
          fail(Object.assign(new Error('ended here'), { code }));
        };
        const timer = setTimeout(end, config.timeout, 'TIMEOUT');
        const { signal } = config;
        const stopListening =
          signal instanceof AbortSignal ? onAbort(signal, () => end('ERR_CANCELED')) : () => undefined;
        underWay.add(end);

        request.on('error', fail);
        request.on('response', (response) => {
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            bytes += chunk.length;
            if (bytes > (config.maxContentLength ?? Infinity)) end('TOO_LARGE');
          });
          // The connection ended before the answer did.
          response.on('error', fail);
          response.on('end', () => {
            stopWaiting();
            const { statusCode: status = 0, statusMessage: statusText = '', headers } = response;
            const [whole = Buffer.alloc(0)] = chunks.length > 1 ? [Buffer.concat(chunks)] : chunks;
            const { 'retry-after': retryAfter, location } = headers;
            resolve({
              data: whole,
              status,
              statusText,
              headers: { 'retry-after': retryAfter, location },
              config,
            });
          });
        });
        // A string goes out in one write with the head.
        request.end(config.data);
      }),
    close() {
      for (const end of underWay) end('ERR_CANCELED');
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}
