import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that speaks as much of the Hugging Face hub as is needed to download a file. */
export type FakeHub = {
  readonly url: string;
  /** The paths asked for, each as often as it was. */
  readonly asked: string[];
  readonly close: () => Promise<void>;
};

/**
 * Serves files at `/datasets/NAME/resolve/REVISION/PATH`, whole or a range of bytes, as the hub does. Parquet files lie elsewhere,
 * as large files do there: whoever speaks the Xet protocol is told of it, everybody else is sent to another address.
 *
 * @param files by `NAME/resolve/REVISION/PATH`
 */
export async function startFakeHub(files: ReadonlyMap<string, Uint8Array>): Promise<FakeHub> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').replace(/^\/datasets\//, '');
    asked.push(path);
    const content = files.get(path.replace(elsewhere, ''));
    if (content === undefined) {
      response.writeHead(404, { 'X-Error-Code': 'EntryNotFound' }).end();
      return;
    }
    if (path.endsWith('.parquet') && !path.startsWith(elsewhere)) {
      sendElsewhere(request, response, { path, content });
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (range === null) {
      response.writeHead(200, { ETag: '"a"', 'Content-Length': content.length }).end(content);
      return;
    }
    const [start, end] = [Number(range[1]), Math.min(Number(range[2]), content.length - 1)];
    const part = content.subarray(start, end + 1);
    response.writeHead(206, {
      ETag: '"a"',
      'Content-Range': `bytes ${start}-${end}/${content.length}`,
      'Content-Length': part.length,
    });
    response.end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const elsewhere = '/cdn/';

function sendElsewhere(
  { headers }: IncomingMessage,
  response: ServerResponse,
  { path, content }: { readonly path: string; readonly content: Uint8Array },
): void {
  if (headers.accept?.includes('application/vnd.xet-fileinfo+json')) {
    response.writeHead(200, {
      'Content-Type': 'application/vnd.xet-fileinfo+json',
      ETag: '"a"',
      'X-Linked-Size': content.length,
      'X-Xet-Hash': 'a'.repeat(64),
      Link: '<https://xet.invalid/auth>; rel="xet-auth", <https://xet.invalid/file>; rel="xet-reconstruction-info"',
    });
    response.end('{}');
  } else {
    response.writeHead(302, { Location: `${elsewhere}${path}` }).end();
  }
}
