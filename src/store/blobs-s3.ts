/** How does a bucket of S3, or of a server that speaks its protocol, keep the bytes of a store? */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { ownFolder } from '../config/installation.ts';
import { type Blobs, checkedName } from './blobs.ts';
import { ArtifactMissing } from './errors.ts';
import { createCache } from './s3/cache.ts';
import { tryBucket } from './s3/canary.ts';
import {
  asking,
  customEndpoint,
  keyOf,
  openS3,
  type OpenS3,
  type S3,
  type S3Address,
  s3AddressOf,
  serverText,
  whereIs,
} from './s3/client.ts';
import { InvalidS3Setting, isTaken, S3Refused } from './s3/errors.ts';
import { listed, look, pieces, read, topFolders, upload } from './s3/objects.ts';

/** A bucket as a store, and this host's part of it. */
type Bucket = {
  readonly blobs: Blobs;
  /** For people: its address and, unless it is AWS, its server. */
  readonly root: string;
  /** The folder for the host's own files. */
  readonly local: string;
  readonly check: () => Promise<void>;
};

/** The bucket that COLLOQUY_STORE names; null when it names a folder. @throws InvalidS3Address, InvalidS3Setting */
export function openBucket(given: string): Bucket | null {
  const address = s3AddressOf(given);
  if (address === null) return null;
  const local = localFolderOf(address);
  const open = openS3(address);
  const root = whereIs(address, '');
  return {
    blobs: s3Blobs(address, open, join(local, 'cache'), cacheGb()),
    root: customEndpoint() === undefined ? root : `${root} at ${serverText()}`,
    local,
    check: () => tryBucket(open),
  };
}

/** COLLOQUY_LOCAL, or a folder for each server, bucket and prefix below `runs/` in the project. */
function localFolderOf({ bucket, prefix }: S3Address): string {
  const given = process.env['COLLOQUY_LOCAL'];
  if (given) return resolve(given);
  const server = (customEndpoint() ?? 'aws').replace(/^https?:\/\/|\/+$/g, '').replaceAll(/[^\w.-]/g, '-');
  return join(ownFolder(), 'runs', '.s3', server, bucket, prefix);
}

/** The most that local copies take, in GB. */
function cacheGb(): number {
  const given = process.env['COLLOQUY_CACHE_GB'] || '100';
  const limit = Number(given);
  if (!(limit > 0)) throw new InvalidS3Setting('COLLOQUY_CACHE_GB', given, 'a number of gigabytes above 0');
  return limit;
}

/** Requests that one operation has in flight. */
const atOnce = 16;
/** A copy within the server takes no more. Larger objects go through this machine. */
const mostCopied = 5 * 1024 ** 3;
/** An upload that began before is a killed writer's: one that lives takes hours at most. */
const uploadLivesMs = 24 * 3_600_000;

/**
 * Blobs as objects of a bucket. A read sees every write that ended before it began; so do all S3 servers that the canary accepts.
 *
 * @param cacheFolder for local copies
 * @param cacheGb the most that they take
 */
export function s3Blobs(address: S3Address, open: OpenS3, cacheFolder: string, cacheGb: number): Blobs {
  const cache = createCache(cacheFolder, cacheGb);
  const where = (name: string) => whereIs(address, name);

  return {
    where,

    async size(name) {
      checkedName(name);
      return (await look(await open(), name))?.bytes ?? null;
    },

    async writtenAt(name) {
      checkedName(name);
      return (await look(await open(), name))?.writtenAt ?? null;
    },

    async get(name, range) {
      checkedName(name);
      return read(await open(), name, range);
    },

    async *stream(name) {
      const s3 = await open();
      checkedName(name);
      const copy = await cache.find(name, () => look(s3, name));
      yield* copy ?? pieces(s3, name);
    },

    async putOnce(name, content) {
      checkedName(name);
      const s3 = await open();
      const hash = createHash('sha256');
      return asking(s3, name, async () => {
        try {
          await upload(s3, name, content, { once: true }, hash);
          return 'made';
        } catch (error) {
          if (!isTaken(error)) throw error;
          // The SDK may have sent it twice, because the first answer was lost: then it is this writer's.
          return (await sha256OrNull(s3, name)) === hash.digest('hex') ? 'same' : 'other';
        }
      });
    },

    async replace(name, content, beforeCommit) {
      checkedName(name);
      const s3 = await open();
      await asking(s3, name, () => upload(s3, name, content, { once: false, beforeCommit }));
    },

    async list(prefix) {
      return (await listed(await open(), prefix)).map(({ name }) => name);
    },

    async everything(prefix) {
      const all = await listed(await open(), prefix);
      return all.map(({ name, bytes, writtenAt }) => ({ name, bytes, writtenAt }));
    },

    async folders() {
      return topFolders(await open());
    },

    async move(from, to) {
      checkedName(to);
      const s3 = await open();
      const all = await within(s3, from);
      await each(all, async ({ name, bytes }) => {
        const target = `${to}${name.slice(from.length)}`;
        if (bytes > mostCopied)
          await asking(s3, target, () => upload(s3, target, pieces(s3, name), { once: false }));
        else await copy(s3, name, target);
      });
      await removeAll(
        s3,
        all.map(({ name }) => name),
      );
      return all.length > 0;
    },

    async remove(name) {
      const s3 = await open();
      const below = await listed(s3, `${checkedName(name)}/`);
      await removeAll(s3, [name, ...below.map((object) => object.name)]);
    },

    async tidy() {
      await endUploads(await open());
    },

    async localCopy(name) {
      const s3 = await open();
      const all = await within(s3, name);
      if (all.length === 0) throw new ArtifactMissing(where(name));
      return cache.copy(name, all, (object) => pieces(s3, object.name, undefined, object.tag));
    },
  };
}

/** A name's own object, and those below it. */
async function within(s3: S3, name: string) {
  const [own, below] = await Promise.all([look(s3, checkedName(name)), listed(s3, `${name}/`)]);
  return own === null ? below : [own, ...below];
}

async function copy(s3: S3, from: string, to: string): Promise<void> {
  const source = `${s3.address.bucket}/${keyOf(s3, from)}`.split('/').map(encodeURIComponent).join('/');
  await asking(s3, to, () =>
    s3.client.send(
      new s3.sdk.CopyObjectCommand({
        Bucket: s3.address.bucket,
        Key: keyOf(s3, to),
        CopySource: source,
      }),
    ),
  );
}

/** One request each: not every server knows the one that removes many. */
async function removeAll(s3: S3, names: readonly string[]): Promise<void> {
  await each(names, async (name) => {
    const request = { Bucket: s3.address.bucket, Key: keyOf(s3, name) };
    await asking(s3, name, () => s3.client.send(new s3.sdk.DeleteObjectCommand(request)));
  });
}

async function each<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  const limit = pLimit(atOnce);
  await Promise.all(items.map((item) => limit(() => work(item))));
}

/**
 * Ends the uploads of the store that killed writers have left: their parts cost money, and no list of objects shows them. Nothing depends on
 * it, so keys that may not do it are no error.
 */
async function endUploads(s3: S3): Promise<void> {
  const { bucket: Bucket, prefix: Prefix } = s3.address;
  try {
    const { Uploads = [] } = await asking(s3, '', () =>
      s3.client.send(new s3.sdk.ListMultipartUploadsCommand({ Bucket, Prefix })),
    );
    const old = Uploads.filter(
      ({ Initiated }) => Date.now() - (Initiated?.getTime() ?? Infinity) > uploadLivesMs,
    );
    await each(old, async ({ Key, UploadId }) =>
      asking(s3, '', () => s3.client.send(new s3.sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }))),
    );
  } catch (error) {
    if (!(error instanceof S3Refused)) throw error;
  }
}

async function sha256OrNull(s3: S3, name: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    for await (const piece of pieces(s3, name)) hash.update(piece);
  } catch (error) {
    if (error instanceof ArtifactMissing) return null;
    throw error;
  }
  return hash.digest('hex');
}
