/** A proxy before a server: it passes requests on, and loses the answers to the first POSTs. */
import { createServer, request } from 'node:http';

export interface LosingAnswers {
  readonly url: string;
  /** How many answers it has lost. */
  lost(): number;
  close(): Promise<void>;
}

/** @param losses how many answers to POSTs it loses */
export async function losingAnswers(to: string, losses: number): Promise<LosingAnswers> {
  let lost = 0;
  const server = createServer((incoming, answer) => {
    const { method, headers } = incoming;
    const passed = request(new URL(incoming.url ?? '/', to), { method, headers }, (answered) => {
      if (method === 'POST' && lost < losses) {
        lost += 1;
        answered.resume();
        incoming.socket.destroy();
        return;
      }
      answer.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(answer);
    });
    passed.on('error', () => incoming.socket.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    lost: () => lost,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
