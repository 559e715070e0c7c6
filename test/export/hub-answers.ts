/** What the stand-in of the hub (hub-stand-in.ts) answers, request by request. What a client sends is checked to the last field. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parse } from 'yaml';
import { z } from 'zod';

/** What happens to a request in place of an answer; `lost` does what it asks and then cuts the line. */
export type Fault = 'cut' | 'lost' | { readonly status: number; readonly headers?: Record<string, string> };
type StoredFile = { readonly content: Buffer; readonly large: boolean };
export type Repository = {
  readonly isPrivate: boolean;
  /** The newest last. */
  readonly commits: {
    readonly oid: string;
    readonly summary: string;
    readonly files: ReadonlyMap<string, StoredFile>;
  }[];
  movedTo?: string;
};
export type Account = {
  readonly name: string;
  readonly role: 'write' | 'read';
  readonly owners: readonly string[];
};
export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly headers: IncomingMessage['headers'];
};
export type Answer = {
  readonly status: number;
  readonly json?: unknown;
  readonly bytes?: Buffer;
  readonly headers?: Record<string, string>;
};

export type HubStandIn = {
  readonly url: string;
  readonly accounts: Map<string, Account>;
  /** By `models/OWNER/NAME` or `datasets/OWNER/NAME`. */
  readonly repositories: Map<string, Repository>;
  /** Large files that have arrived, by their hash. */
  readonly large: Map<string, Buffer>;
  /** `METHOD PATH` of each request, in order. */
  readonly asked: string[];
  /** What was not as the hub has it. A test looks that this is empty. */
  readonly wrong: string[];
  /** Is asked before each request is answered. */
  fault: (request: string) => Fault | undefined;
  /** Above this a large file goes in parts. */
  partBytes: number;
  /** Commits as somebody else. */
  readonly put: (repository: string, files: Readonly<Record<string, string | null>>) => string;
  readonly close: () => Promise<void>;
};

/** The repository that is asked for. */
export type Of = { readonly key: string; readonly repository: Repository };

export function refused(status: number, error: string, code = ''): Answer {
  return { status, json: { error }, headers: code === '' ? {} : { 'X-Error-Code': code } };
}

const creation = z.strictObject({
  name: z.string(),
  organization: z.string(),
  type: z.enum(['model', 'dataset']),
  visibility: z.enum(['public', 'private']),
});

export function create(hub: HubStandIn, account: Account | undefined, { body }: Asked): Answer {
  const { name, organization, type, visibility } = creation.parse(JSON.parse(body.toString()));
  const key = `${type}s/${organization}/${name}`;
  if (account?.owners.includes(organization) !== true || account.role === 'read')
    return refused(
      403,
      `You don't have the rights to create a ${type} under the namespace "${organization}"`,
    );
  if (hub.repositories.has(key)) return refused(409, `You already created this ${type} repo`);
  hub.repositories.set(key, { isPrivate: visibility === 'private', commits: [] });
  hub.put(key, { '.gitattributes': '*.safetensors filter=lfs\n' });
  return { status: 200, json: { url: `${hub.url}/${organization}/${name}`, id: 'x' } };
}

function head({ repository }: Of) {
  return repository.commits.at(-1)!;
}

export function info(of: Of): Answer {
  const readme = head(of).files.get('README.md')?.content.toString() ?? '';
  const cardData: unknown = parse(/^---\n([^]*?)\n---/.exec(readme)?.[1] ?? '') ?? undefined;
  const { isPrivate } = of.repository;
  const name = of.key.replace(/^\w+\//, '');
  return {
    status: 200,
    json: {
      _id: 'x',
      id: name,
      private: isPrivate,
      gated: false,
      sha: head(of).oid,
      cardData,
      likes: 0,
      downloads: 0,
      lastModified: '2026-01-01T00:00:00Z',
    },
  };
}

export function tree(hub: HubStandIn, of: Of, revision: string, { query, path }: Asked): Answer {
  const found = of.repository.commits.find(({ oid }) => oid === revision);
  if (found === undefined) return refused(404, `Invalid rev id: ${revision}`, 'RevisionNotFound');
  const all = [...found.files].filter(([each]) => query.get('recursive') === 'true' || !each.includes('/'));
  const from = Number(query.get('cursor') ?? 0);
  const page = all.slice(from, from + pageLength).map(([each, { content, large }]) => ({
    type: 'file',
    path: each,
    size: content.length,
    oid: large ? gitHash(Buffer.from(`oid ${sha256(content)}`)) : gitHash(content),
    ...(large ? { lfs: { oid: sha256(content), size: content.length, pointerSize: 130 } } : {}),
  }));
  const next = `${hub.url}${path}?recursive=${query.get('recursive')}&expand=false&cursor=${from + pageLength}`;
  return {
    status: 200,
    json: page,
    headers: from + pageLength < all.length ? { Link: `<${next}>; rel="next"` } : {},
  };
}

const pageLength = 5;

export function resolve(
  { repository }: Of,
  revision: string,
  path: string,
  range: string | undefined,
): Answer {
  const content = repository.commits.find(({ oid }) => oid === revision)?.files.get(path)?.content;
  if (content === undefined) return refused(404, 'Entry not found', 'EntryNotFound');
  const end = range === 'bytes=0-0' ? 1 : content.length;
  const headers = { ETag: '"x"', 'Content-Range': `bytes 0-${end - 1}/${content.length}` };
  return { status: range === undefined ? 200 : 206, bytes: content.subarray(0, end), headers };
}

const preuploads = z.strictObject({
  files: z
    .array(z.strictObject({ path: z.string().min(1), size: z.number(), sample: z.base64() }))
    .min(1)
    .max(100),
});

export function preupload({ body }: Asked): Answer {
  const { files } = preuploads.parse(JSON.parse(body.toString()));
  return {
    status: 200,
    json: { files: files.map(({ path }) => ({ path, uploadMode: isLarge(path) ? 'lfs' : 'regular' })) },
  };
}

function isLarge(path: string): boolean {
  return path.endsWith('.safetensors');
}

const batches = z.strictObject({
  operation: z.literal('upload'),
  transfers: z.array(z.enum(['basic', 'multipart', 'xet'])),
  hash_algo: z.literal('sha_256'),
  ref: z.strictObject({ name: z.literal('main') }),
  objects: z.array(z.strictObject({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().positive() })),
});

export function lfsBatch(hub: HubStandIn, { body, headers }: Asked): Answer {
  if (headers['content-type'] !== 'application/vnd.git-lfs+json')
    throw new Error('the wrong type of content');
  const objects = batches.parse(JSON.parse(body.toString())).objects.map(({ oid, size }) => {
    if (hub.large.has(oid)) return { oid, size };
    const href = `${hub.url}/storage/${oid}/${size}`;
    const parts = Array.from({ length: Math.ceil(size / hub.partBytes) }, (_, index) =>
      String(index + 1).padStart(5, '0'),
    );
    if (parts.length < 2) return { oid, size, actions: { upload: { href } } };
    const header = Object.fromEntries([
      ['chunk_size', String(hub.partBytes)],
      ...parts.map((part) => [part, `${href}/${part}`]),
    ]);
    return { oid, size, actions: { upload: { href, header } } };
  });
  return { status: 200, json: { transfer: 'basic', objects } };
}

const completions = z.strictObject({
  oid: z.string(),
  parts: z.array(z.strictObject({ partNumber: z.number(), etag: z.string() })),
});

/** Where large files go: another service, which gets addresses with a signature and never the token. */
export function storage({ large, wrong }: HubStandIn, { method, path, body, headers }: Asked): Answer {
  const [, , oid = '', size = '', part] = path.split('/');
  if (headers.authorization !== undefined) wrong.push(`the storage of large files got the token: ${path}`);
  if (method === 'PUT' && part !== undefined) {
    large.set(`${oid}/${part}`, body);
    return { status: 200, headers: { ETag: `"${sha256(body)}"` } };
  }
  const parts = method === 'PUT' ? [] : completions.parse(JSON.parse(body.toString())).parts;
  const content =
    method === 'PUT'
      ? body
      : Buffer.concat(
          parts.map(({ partNumber, etag }) => {
            const piece = large.get(`${oid}/${String(partNumber).padStart(5, '0')}`);
            if (piece === undefined || etag !== `"${sha256(piece)}"`)
              throw new Error(`part ${partNumber} has not arrived`);
            return piece;
          }),
        );
  if (sha256(content) !== oid || content.length !== Number(size)) {
    wrong.push(`${path}: other bytes`);
    return refused(400, 'BadDigest');
  }
  large.set(oid, content);
  return { status: 200 };
}

const commitLine = z.discriminatedUnion('key', [
  z.strictObject({
    key: z.literal('file'),
    value: z.strictObject({ path: z.string().min(1), content: z.base64(), encoding: z.literal('base64') }),
  }),
  z.strictObject({
    key: z.literal('lfsFile'),
    value: z.strictObject({
      path: z.string().min(1),
      algo: z.literal('sha256'),
      oid: z.string(),
      size: z.number(),
    }),
  }),
  z.strictObject({ key: z.literal('deletedFile'), value: z.strictObject({ path: z.string().min(1) }) }),
]);
const commitHeader = z.strictObject({
  key: z.literal('header'),
  value: z.strictObject({ summary: z.string().min(1), description: z.string(), parentCommit: z.string() }),
});

export function commit(hub: HubStandIn, of: Of, { body, headers }: Asked): Answer {
  if (headers['content-type'] !== 'application/x-ndjson') throw new Error('the wrong type of content');
  const [first, ...lines] = body
    .toString()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  const { summary, parentCommit } = commitHeader.parse(first).value;
  if (parentCommit !== head(of).oid)
    return refused(412, 'A commit has happened since. Please refresh and try again.');
  const files = new Map(head(of).files);
  for (const { key, value } of lines.map((line) => commitLine.parse(line))) {
    if (key === 'deletedFile' && !files.delete(value.path)) throw new Error(`no ${value.path} to delete`);
    if (key === 'file') {
      if (isLarge(value.path)) throw new Error(`${value.path} has to go to the storage of large files`);
      files.set(value.path, { content: Buffer.from(value.content, 'base64'), large: false });
    }
    if (key === 'lfsFile') {
      const content = hub.large.get(value.oid);
      if (content?.length !== value.size) return refused(422, `The large file ${value.path} has not arrived`);
      files.set(value.path, { content, large: true });
    }
  }
  const oid = newest(of.repository, summary, files);
  return {
    status: 200,
    json: { success: true, commitOid: oid, commitUrl: `${hub.url}/commit/${oid}`, hookOutput: '' },
  };
}

/** Makes a commit, and returns its hash. */
export function newest(
  { commits }: Repository,
  summary: string,
  files: ReadonlyMap<string, StoredFile>,
): string {
  const oid = createHash('sha1')
    .update(`${commits.length} ${summary} ${commits.at(-1)?.oid}`)
    .digest('hex');
  commits.push({ oid, summary, files });
  return oid;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function gitHash(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
