/** How do bytes of any size become one object, all of them or none, and only where there is none yet? */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { type Content, piecesOf } from '../blobs.ts';
import { keyOf, type S3 } from './client.ts';
import { look } from './reads.ts';

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
