import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that speaks as much of the Hugging Face hub as is needed to download a file. */
export type FakeHub = {
  readonly url: string;
  /** The paths asked for, each as often as it was. */
  readonly asked: string[];
  /** The newest commit of datasets that are asked about, by name. */
  readonly commits: Map<string, string>;
  /** Datasets that are given to the holder of this token alone. */
  readonly gated: Map<string, string>;
  readonly close: () => Promise<void>;
};

/**
 * Serves files at `/datasets/NAME/resolve/REVISION/PATH`, whole or a range of bytes, as the hub does. Parquet files lie elsewhere,
 * as large files do there: a client that speaks the Xet protocol is told of it, and any other client is sent to another address.
 *
 * Of the datasets that have a commit here it also says what the commit is, and which files there are.
 *
 * @param files by `NAME/resolve/REVISION/PATH`
 * @param newest the newest commit by the name of the dataset
 */
export async function startFakeHub(
  files: ReadonlyMap<string, Uint8Array>,
  newest: Readonly<Record<string, string>> = {},
): Promise<FakeHub> {
  const asked: string[] = [];
  const commits = new Map(Object.entries(newest));
  const gated = new Map<string, string>();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').replace(/^\/datasets\//, '');
    asked.push(path);
    const [name = ''] =
      /^[^/]+\/[^/]+/.exec(path.replace(/^\/api\/datasets\//, '').replace(elsewhere, '')) ?? [];
    const key = gated.get(name);
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) {
      const known = request.headers.authorization !== undefined;
      refuse(response, known ? 403 : 401, 'GatedRepo', `Access to dataset ${name} is restricted.`);
      return;
    }
    if (path.startsWith('/api/')) {
      const found = aboutDataset(path, { name, newest: commits.get(name), files });
      if (typeof found === 'string')
        refuse(response, found === 'RepoNotFound' ? 401 : 404, found, 'Not found');
      else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(found));
      return;
    }
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
    commits,
    gated,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function refuse(response: ServerResponse, status: number, code: string, error: string): void {
  response.writeHead(status, { 'X-Error-Code': code, 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ error }));
}

/** What the hub's API says of a dataset: its commit, or the files at a commit; or its code of an error. */
function aboutDataset(
  path: string,
  of: {
    readonly name: string;
    readonly newest: string | undefined;
    readonly files: ReadonlyMap<string, Uint8Array>;
  },
): object | string {
  if (of.newest === undefined) return 'RepoNotFound';
  if (path.includes('/revision/')) return { _id: 'x', id: of.name, sha: of.newest };
  const revision = /\/tree\/([^/?]+)/.exec(path)?.[1] ?? '';
  const prefix = `${of.name}/resolve/${revision}/`;
  const found = [...of.files].filter(([file]) => file.startsWith(prefix));
  if (found.length === 0) return 'RevisionNotFound';
  return found.map(([file, { length }]) => ({
    type: 'file',
    path: file.slice(prefix.length),
    size: length,
    oid: 'a',
  }));
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
