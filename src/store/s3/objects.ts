/**
 * How are objects read, listed and written, so that an answer that breaks off is asked for again, none is left unread, and bytes of any size
 * become one object or none?
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { type ByteRange, type Content, piecesOf } from '../blobs.ts';
import { ArtifactMissing } from '../errors.ts';
import { asking, keyOf, type S3, whereIs } from './client.ts';
import { failureOf, isMissingObject, isOfNetwork, isTaken, S3Unreachable } from './errors.ts';

/** An object as it is listed: the tag changes with its bytes. */
export type Listed = { readonly name: string; readonly bytes: number; readonly tag: string };
type Dated = Listed & { readonly writtenAt: number };

/** What is known of an object without its bytes; null when there is none. */
export async function look(s3: S3, name: string): Promise<Dated | null> {
  return asking(s3, name, async () => {
    try {
      const head = await s3.client.send(
        new s3.sdk.HeadObjectCommand({ Bucket: s3.address.bucket, Key: keyOf(s3, name) }),
      );
      return {
        name,
        bytes: head.ContentLength ?? 0,
        tag: head.ETag ?? '',
        writtenAt: head.LastModified?.getTime() ?? 0,
      };
    } catch (error) {
      // An answer to HEAD has no body that says what is wrong.
      if (!isMissingObject(error)) {
        if ([301, 400, 403].includes(failureOf(error).status ?? 0)) await listOne(s3);
        throw error;
      }
      if (!bucketSeen.has(s3)) await listOne(s3);
      return null;
    }
  });
}

/** Those that have shown their bucket to these keys: with a missing bucket, or unknown keys, every object would seem to be missing. */
const bucketSeen = new WeakSet<S3>();

async function listOne(s3: S3): Promise<void> {
  const { bucket: Bucket, prefix: Prefix } = s3.address;
  await s3.client.send(new s3.sdk.ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 1 }));
  bucketSeen.add(s3);
}

/** All objects whose names begin with `prefix`, sorted by name. */
export async function listed(s3: S3, prefix: string): Promise<Dated[]> {
  const found: Dated[] = [];
  await eachPage(s3, prefix, undefined, ({ Contents = [] }) => {
    for (const { Key = '', Size = 0, ETag = '', LastModified } of Contents) {
      const name = Key.slice(s3.address.prefix.length);
      // Programs that show a bucket as folders make empty objects for them.
      const writtenAt = LastModified?.getTime() ?? Infinity;
      if (!Key.endsWith('/')) found.push({ name, bytes: Size, tag: ETag, writtenAt });
    }
  });
  // The server sorts by bytes, and JavaScript by UTF-16.
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The names of the folders at the top of the store. */
export async function topFolders(s3: S3): Promise<string[]> {
  const found: string[] = [];
  await eachPage(s3, '', '/', ({ CommonPrefixes = [] }) => {
    for (const { Prefix = '' } of CommonPrefixes)
      found.push(Prefix.slice(s3.address.prefix.length).replace(/\/$/, ''));
  });
  return found;
}

type ListPage = {
  readonly Contents?: readonly {
    readonly Key?: string;
    readonly Size?: number;
    readonly ETag?: string;
    readonly LastModified?: Date;
  }[];
  readonly CommonPrefixes?: readonly { readonly Prefix?: string }[];
};

async function eachPage(
  s3: S3,
  prefix: string,
  delimiter: string | undefined,
  take: (page: ListPage) => void,
): Promise<void> {
  let next: string | undefined;
  do {
    const page = await asking(s3, prefix, () =>
      s3.client.send(
        new s3.sdk.ListObjectsV2Command({
          Bucket: s3.address.bucket,
          Prefix: `${s3.address.prefix}${prefix}`,
          Delimiter: delimiter,
          ContinuationToken: next,
        }),
      ),
    );
    take(page as ListPage);
    next = page.NextContinuationToken;
  } while (next !== undefined);
}

/**
 * The bytes of an object, piece by piece, all from one version of it. Where an answer breaks off, the rest is asked for: the SDK tries
 * again only until an answer begins.
 *
 * @param tag the version; by default the one that is there
 * @throws ArtifactMissing; S3Unreachable also when the object was replaced while it was read
 */
export async function* pieces(s3: S3, name: string, range?: ByteRange, tag?: string): AsyncGenerator<Buffer> {
  const end = range === undefined ? Infinity : range.start + range.bytes;
  let at = range?.start ?? 0;
  let version = tag;
  for (let tries = 1; at < end; tries += 1) {
    const body = await open(s3, name, at, end, version);
    if (body === null) return;
    version = body.tag;
    try {
      // A reader that stops early ends the answer too: left unread, it would keep one of the client's fifty connections.
      for await (const piece of withDeadline(body.stream, s3.patience.answerMs)) {
        at += piece.length;
        tries = 1;
        yield piece;
      }
      return;
    } catch (error) {
      if (!isOfNetwork(error) || tries >= s3.patience.tries) throw broken(s3, name, error);
      await sleep(Math.min(s3.patience.longestPauseMs, s3.patience.pauseMs * 2 ** (tries - 1)));
    }
  }
}

type Body = { readonly stream: Readable; readonly tag: string };

/** The answer from a byte on; null when there are no more bytes. */
async function open(s3: S3, name: string, at: number, end: number, tag?: string): Promise<Body | null> {
  const whole = at === 0 && end === Infinity;
  try {
    const answer = await s3.client.send(
      new s3.sdk.GetObjectCommand({
        Bucket: s3.address.bucket,
        Key: keyOf(s3, name),
        ...(whole ? {} : { Range: `bytes=${at}-${end === Infinity ? '' : end - 1}` }),
        ...(tag === undefined ? {} : { IfMatch: tag }),
      }),
    );
    return { stream: answer.Body as Readable, tag: answer.ETag ?? '' };
  } catch (error) {
    if (failureOf(error).status === 416) return null;
    if (isMissingObject(error)) throw new ArtifactMissing(whereIs(s3.address, name));
    if (isTaken(error)) throw broken(s3, name, new Error('it was replaced while it was read'));
    return asking(s3, name, () => Promise.reject(error as Error));
  }
}

function broken(s3: S3, name: string, error: unknown): Error {
  const { name: code, message } = failureOf(error);
  return new S3Unreachable(whereIs(s3.address, name), s3.server, code === 'Error' ? message : code);
}

/** Ends a stream that stands still: it would be waited for for ever. */
async function* withDeadline(stream: Readable, ms: number): AsyncGenerator<Buffer> {
  const stop = (): void => {
    stream.destroy(Object.assign(new Error('aborted'), { name: 'TimeoutError' }));
  };
  let timer = setTimeout(stop, ms);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      clearTimeout(timer);
      yield piece;
      timer = setTimeout(stop, ms);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** All bytes, or a range of them; null when there is no such object. */
export async function read(s3: S3, name: string, range?: ByteRange): Promise<Buffer | null> {
  const all: Buffer[] = [];
  try {
    for await (const piece of pieces(s3, name, range)) all.push(piece);
  } catch (error) {
    if (error instanceof ArtifactMissing) return null;
    throw error;
  }
  return Buffer.concat(all);
}

/** Larger content goes in parts of this size, four at a time. An object has at most 10,000 parts: 80 GB. */
const partBytes = 8 * 1024 * 1024;

export type Uploading = {
  /** Fails with 412 when the name has an object already. */
  readonly once: boolean;
  /** Runs when all bytes are at the server and the name still has the old ones. */
  readonly beforeCommit?: (() => Promise<void>) | undefined;
};

/**
 * Stores bytes under a name.
 *
 * @param hash gets all the bytes, also when the write fails because the name is taken
 * @throws the SDK's error of a failed write, and the errors of `content` and `beforeCommit`
 */
export async function upload(
  s3: S3,
  name: string,
  content: Content,
  { once, beforeCommit }: Uploading,
  hash = createHash('sha256'),
): Promise<void> {
  const target = {
    Bucket: s3.address.bucket,
    Key: keyOf(s3, name),
    ...(once ? { IfNoneMatch: '*' } : {}),
  };
  const pieces = piecesIn(content, hash);
  const { first, rest } = await begun(pieces);
  if (rest === null) {
    await beforeCommit?.();
    await s3.client.send(
      new s3.sdk.PutObjectCommand({
        ...target,
        Body: first,
        ContentLength: first.length,
        ChecksumSHA256: hash.copy().digest('base64'),
      }),
    );
    return;
  }
  // It would be refused after all its parts are there.
  if (once && (await look(s3, name)) !== null) {
    for await (const _ of rest) continue;
    throw Object.assign(new Error('The name is taken.'), { $metadata: { httpStatusCode: 412 } });
  }
  let failure: unknown;
  const all = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield first;
      yield* rest;
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  const { Upload } = await import('@aws-sdk/lib-storage');
  const parts = new Upload({
    client: committing(s3, beforeCommit),
    params: { ...target, Body: Readable.from(all(), { objectMode: false }), ChecksumAlgorithm: 'SHA256' },
    partSize: partBytes,
  });
  try {
    await parts.done();
  } catch (error) {
    // When the parts could not be taken back, that is another failure.
    throw failure ?? error;
  }
}

/** A client that waits for `beforeCommit` before it makes an object of the parts. */
function committing({ client, sdk }: S3, beforeCommit: Uploading['beforeCommit']): S3Client {
  if (beforeCommit === undefined) return client;
  const send = async (command: Parameters<S3Client['send']>[0]): Promise<unknown> => {
    if (command instanceof sdk.CompleteMultipartUploadCommand) await beforeCommit();
    return client.send(command);
  };
  return Object.assign(Object.create(client) as S3Client, { send });
}

async function* piecesIn(content: Content, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const piece of piecesOf(content)) {
    hash.update(piece);
    yield piece;
  }
}

/** The bytes when they fit into one request; otherwise the first of them, and what follows. */
async function begun(
  pieces: AsyncGenerator<Uint8Array>,
): Promise<{ readonly first: Buffer; readonly rest: AsyncGenerator<Uint8Array> | null }> {
  const gathered: Uint8Array[] = [];
  let bytes = 0;
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
    gathered.push(next.value);
    bytes += next.value.length;
    if (bytes > partBytes) return { first: Buffer.concat(gathered), rest: pieces };
  }
  return { first: Buffer.concat(gathered), rest: null };
}
