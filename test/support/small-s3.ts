/** As much of S3 as a store needs, in memory and in this process: for tests of logic. `npm run test:s3` has a real server. */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export type SmallS3 = AsyncDisposable & { readonly url: string; readonly objects: Map<string, Buffer> };

type Answer = {
  readonly status: number;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
};

/** @param honest false: it looks whether a name is taken, and writes a moment later, as some servers do */
export async function startSmallS3({ honest = true } = {}): Promise<SmallS3> {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>();

  async function store(key: string, bytes: Buffer, request: IncomingMessage): Promise<Answer> {
    const taken = request.headers['if-none-match'] === '*' && objects.has(key);
    if (taken) return refusal(412, 'PreconditionFailed');
    if (!honest) await new Promise((resolve) => setTimeout(resolve, 20));
    const sum = request.headers['x-amz-checksum-sha256'];
    if (typeof sum === 'string' && sum !== createHash('sha256').update(bytes).digest('base64'))
      return refusal(400, 'BadDigest');
    objects.set(key, bytes);
    return { status: 200, headers: { etag: tagOf(bytes) } };
  }

  async function upload(
    key: string,
    query: URLSearchParams,
    body: Buffer,
    request: IncomingMessage,
  ): Promise<Answer> {
    const id = query.get('uploadId') ?? '';
    if (query.has('uploads') && request.method === 'POST') {
      const made = randomUUID();
      uploads.set(made, { key, parts: new Map() });
      return xml('InitiateMultipartUploadResult', `<UploadId>${made}</UploadId>`);
    }
    const parts = uploads.get(id)?.parts;
    if (parts === undefined) return refusal(404, 'NoSuchUpload');
    if (request.method === 'PUT') {
      parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: tagOf(body) } };
    }
    if (request.method === 'POST') {
      const all = Buffer.concat([...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part));
      const stored = await store(key, all, request);
      if (stored.status !== 200) return stored;
      uploads.delete(id);
      return xml('CompleteMultipartUploadResult', `<ETag>${tagOf(all)}</ETag>`);
    }
    uploads.delete(id);
    return { status: 204 };
  }

  async function answer(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'http://s3');
    const [, bucket = '', key = ''] = /^\/([^/]+)\/?(.*)$/s.exec(decodeURIComponent(pathname)) ?? [];
    if (bucket.startsWith('missing')) return refusal(404, 'NoSuchBucket');
    const name = `${bucket}/${key}`;
    if (key === '') {
      if (!query.has('uploads')) return list(objects, `${bucket}/`, query);
      const waiting = [...uploads].map(
        ([id, each]) =>
          `<Upload><Key>${escaped(each.key.slice(bucket.length + 1))}</Key><UploadId>${id}</UploadId><Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>`,
      );
      return xml('ListMultipartUploadsResult', waiting.join(''));
    }
    if (query.has('uploads') || query.has('uploadId')) return upload(name, query, body, request);
    const bytes = objects.get(name);
    switch (request.method) {
      case 'PUT': {
        const source = request.headers['x-amz-copy-source'];
        if (typeof source !== 'string') return store(name, body, request);
        objects.set(name, objects.get(decodeURIComponent(source).replace(/^\//, '')) ?? Buffer.alloc(0));
        return xml('CopyObjectResult', '');
      }
      case 'DELETE':
        objects.delete(name);
        return { status: 204 };
      default:
        return bytes === undefined ? refusal(404, 'NoSuchKey') : read(bytes, request);
    }
  }

  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      void answer(request, Buffer.concat(pieces)).then(({ status, body = '', headers = {} }) => {
        response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
        response.end(request.method === 'HEAD' ? undefined : body);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function read(bytes: Buffer, request: IncomingMessage): Answer {
  const headers = { etag: tagOf(bytes), 'last-modified': new Date().toUTCString() };
  const wanted = request.headers['if-match'];
  if (wanted !== undefined && wanted !== headers.etag) return refusal(412, 'PreconditionFailed');
  if (request.method === 'HEAD')
    return { status: 200, headers: { ...headers, 'content-length': String(bytes.length) } };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) return { status: 200, body: bytes, headers };
  if (Number(from) >= bytes.length) return refusal(416, 'InvalidRange');
  const part = bytes.subarray(Number(from), to ? Number(to) + 1 : undefined);
  return {
    status: 206,
    body: part,
    headers: { ...headers, 'content-range': `bytes ${from}-/${bytes.length}` },
  };
}

/** Pages of ten. */
function list(objects: ReadonlyMap<string, Buffer>, bucket: string, query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? '';
  const keys = [...objects.keys()]
    .filter((name) => name.startsWith(`${bucket}${prefix}`))
    .map((name) => name.slice(bucket.length))
    .toSorted();
  if (query.get('delimiter') === '/') {
    const folders = keys.flatMap((key) => /^[^/]*\//.exec(key.slice(prefix.length))?.[0] ?? []);
    const found = [...new Set(folders)].map(
      (folder) => `<CommonPrefixes><Prefix>${escaped(`${prefix}${folder}`)}</Prefix></CommonPrefixes>`,
    );
    return xml('ListBucketResult', found.join(''));
  }
  const start = Number(query.get('continuation-token') ?? 0);
  const page = keys.slice(start, start + 10).map((key) => {
    const bytes = objects.get(`${bucket}${key}`) ?? Buffer.alloc(0);
    return `<Contents><Key>${escaped(key)}</Key><Size>${bytes.length}</Size><ETag>${escaped(tagOf(bytes))}</ETag></Contents>`;
  });
  const next =
    keys.length > start + 10
      ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${start + 10}</NextContinuationToken>`
      : '';
  return xml('ListBucketResult', `${page.join('')}${next}`);
}

function tagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function xml(root: string, inner: string): Answer {
  return {
    status: 200,
    body: `<?xml version="1.0"?><${root}>${inner}</${root}>`,
    headers: { 'content-type': 'application/xml' },
  };
}

function refusal(status: number, code: string): Answer {
  return { ...xml('Error', `<Code>${code}</Code><Message>${code}</Message>`), status };
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
