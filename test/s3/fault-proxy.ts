/** A proxy before a real S3 server that does what networks and busy servers do. The signed Host header passes through unchanged. */
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Fault = {
  /** Of the request; by default any. */
  readonly method?: string;
  /** A pattern for path and query; by default any. */
  readonly path?: RegExp;
  /** How many requests it strikes; by default all. */
  times?: number;
  /** How many it spares before. */
  skip?: number;
  readonly what:
    /** The server's own answers, which have no effect. */
    | 'conflict'
    | 'internal error'
    | 'slow down'
    | 'denied'
    /** The connection breaks before the server gets the request. */
    | 'reset'
    /** No answer ever comes. */
    | 'hang'
    /** The server does it, and the answer is lost. */
    | 'lost'
    /** The answer breaks off, or stands still, after so many bytes of its body. */
    | { readonly cutAfter: number }
    | { readonly stallAfter: number };
};

export type FaultProxy = AsyncDisposable & {
  readonly url: string;
  /** From now on these alone. */
  readonly strike: (...faults: Fault[]) => void;
  /** Drops all connections and takes no more, until it is called with false. */
  readonly cut: (isCut: boolean) => void;
  /** All requests since the last `strike`: `PUT /bucket/key`. */
  readonly seen: () => readonly string[];
};

export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(upstream);
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const sockets = new Set<Socket>();
  let faults: Fault[] = [];
  let seen: string[] = [];
  let isCut = false;

  function faultOf({ method = '', url = '' }: IncomingMessage): Fault['what'] | undefined {
    const fault = faults.find(
      (each) =>
        (each.method === undefined || each.method === method) &&
        (each.path === undefined || each.path.test(decodeURIComponent(url))) &&
        each.times !== 0,
    );
    if (fault === undefined) return undefined;
    if ((fault.skip ?? 0) > 0) {
      fault.skip = (fault.skip ?? 0) - 1;
      return undefined;
    }
    if (fault.times !== undefined) fault.times -= 1;
    return fault.what;
  }

  function forward(from: IncomingMessage, to: ServerResponse, what: Fault['what'] | undefined): void {
    const { method, url, headers } = from;
    const ahead = httpRequest({ host: hostname, port, method, path: url, headers, agent }, (answer) => {
      if (what === 'lost') {
        answer.resume();
        answer.on('end', () => from.socket.destroy());
        return;
      }
      to.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
      if (typeof what !== 'object') {
        answer.pipe(to);
        return;
      }
      const most = 'cutAfter' in what ? what.cutAfter : what.stallAfter;
      let bytes = 0;
      answer.on('data', (piece: Buffer) => {
        to.write(piece.subarray(0, Math.max(0, most - bytes)));
        bytes += piece.length;
        if (bytes < most) return;
        answer.destroy();
        // Until what was written has left this process.
        if ('cutAfter' in what) setImmediate(() => from.socket.destroy());
      });
    });
    ahead.on('error', () => from.socket.destroy());
    from.on('aborted', () => ahead.destroy());
    from.pipe(ahead);
  }

  const server = createServer((from, to) => {
    if (isCut) return void from.socket.destroy();
    seen.push(`${from.method} ${from.url}`);
    const what = faultOf(from);
    if (what === 'reset') return void from.socket.destroy();
    if (what === 'hang') return void from.resume();
    const refusal = what === undefined || typeof what === 'object' ? undefined : refusals[what];
    if (refusal === undefined) return forward(from, to, what);
    from.resume();
    from.on('end', () => {
      to.writeHead(refusal.status, { 'content-type': 'application/xml' });
      to.end(
        `<?xml version="1.0"?><Error><Code>${refusal.code}</Code><Message>by the test</Message></Error>`,
      );
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    if (isCut) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    strike: (...next) => {
      faults = next;
      seen = [];
    },
    cut: (cut) => {
      isCut = cut;
      if (cut) for (const socket of sockets) socket.destroy();
    },
    seen: () => seen,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const refusals: Readonly<Record<string, { readonly status: number; readonly code: string }>> = {
  conflict: { status: 409, code: 'ConditionalRequestConflict' },
  'internal error': { status: 500, code: 'InternalError' },
  'slow down': { status: 503, code: 'SlowDown' },
  denied: { status: 403, code: 'AccessDenied' },
};
