/** Can this worker work with this bucket, and does its server keep the one promise that a store needs? */
import { randomUUID } from 'node:crypto';
import { asking, clockSkewMs, keyOf, type OpenS3, type S3, whereIs } from './client.ts';
import { isTaken, S3Refused, S3StoreUnsafe } from './errors.ts';
import { listed, look, read, upload } from './objects.ts';

/** AWS refuses requests that are further off. The SDK then corrects its own clock, but logs, seals and Temporal would still be wrong. */
const mostSkewMs = 15 * 60_000;
const racers = 12;
const races = 3;

/**
 * Tries a bucket as a worker will use it, with some sixty small requests: reads, writes, lists, removes, and lets several writers race for one name.
 *
 * @throws S3Refused for wrong keys, rights, bucket or region, and for a clock that is off; S3StoreUnsafe; S3Unreachable
 */
export async function tryBucket(open: OpenS3): Promise<void> {
  const s3 = await open();
  const folder = `.canary/${randomUUID()}`;
  // The first answer also tells the server's time.
  await listed(s3, `${folder}/`).catch((error: unknown) => {
    requireClock(s3);
    throw error;
  });
  requireClock(s3);
  try {
    for (let race = 0; race < races; race++) await requireOneWinner(s3, `${folder}/race-${race}`);
    await requireOneWinnerOfParts(s3, `${folder}/parts`);
    const names = (await listed(s3, `${folder}/`)).map(({ name }) => name);
    if (names.length !== races + 1)
      throw unsafe(s3, `a list shows ${names.length} of ${races + 1} objects that were just written`);
  } finally {
    await clean(s3, folder);
  }
  if ((await look(s3, `${folder}/race-0`)) !== null)
    throw unsafe(s3, 'an object that was removed can still be read');
}

function unsafe(s3: S3, found: string): S3StoreUnsafe {
  return new S3StoreUnsafe(whereIs(s3.address, ''), s3.server, found);
}

/** @throws S3Refused, with how far the clock is off */
function requireClock(s3: S3): void {
  const skew = clockSkewMs(s3);
  if (Math.abs(skew) <= mostSkewMs) return;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  throw new S3Refused(
    whereIs(s3.address, ''),
    s3.server,
    'RequestTimeTooSkewed',
    `The clock of this machine is ${minutes} minutes ${skew > 0 ? 'behind' : 'ahead of'} the server's: set it, for example with NTP`,
  );
}

async function requireOneWinner(s3: S3, name: string): Promise<void> {
  const texts = Array.from({ length: racers }, (_, racer) => `racer ${racer} `.repeat(100));
  const write = (text: string) => wins(s3, name, () => upload(s3, name, Buffer.from(text), { once: true }));
  const won = await Promise.all(texts.map(write));
  won.push(await write('late'));
  requireAtMostOne(s3, 'writers', won);
  const found = (await read(s3, name))?.toString() ?? '';
  // The winner may have lost its answer, and have been told at the second try that the name is taken.
  const right = won.includes(true) ? found === texts[won.indexOf(true)] : texts.includes(found);
  if (!right) throw unsafe(s3, 'a name that one writer won does not have the bytes of that writer');
}

/** Uploads in parts are made objects by another request. */
async function requireOneWinnerOfParts(s3: S3, name: string): Promise<void> {
  const { sdk, client } = s3;
  const target = { Bucket: s3.address.bucket, Key: keyOf(s3, name) };
  const uploads = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (text) => {
      const { UploadId } = await asking(s3, name, () =>
        client.send(new sdk.CreateMultipartUploadCommand(target)),
      );
      const part = { ...target, UploadId, PartNumber: 1, Body: Buffer.from(text) };
      const { ETag } = await asking(s3, name, () => client.send(new sdk.UploadPartCommand(part)));
      return { UploadId, MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] } };
    }),
  );
  const won = await Promise.all(
    uploads.map((each) =>
      wins(s3, name, () =>
        client.send(new sdk.CompleteMultipartUploadCommand({ ...target, ...each, IfNoneMatch: '*' })),
      ),
    ),
  );
  for (const [index, { UploadId }] of uploads.entries())
    if (won[index] === false)
      await asking(s3, name, () => client.send(new sdk.AbortMultipartUploadCommand({ ...target, UploadId })));
  requireAtMostOne(s3, 'writers of parts', won);
}

async function wins(s3: S3, name: string, write: () => Promise<unknown>): Promise<boolean> {
  return asking(s3, name, async () => {
    try {
      await write();
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
  });
}

function requireAtMostOne(s3: S3, what: string, won: readonly boolean[]): void {
  const winners = won.filter(Boolean).length;
  if (winners > 1)
    throw unsafe(s3, `${winners} of ${won.length} ${what} of one name at once were told that it is theirs`);
}

async function clean(s3: S3, folder: string): Promise<void> {
  const left = await listed(s3, `${folder}/`);
  for (const { name } of left) {
    const target = { Bucket: s3.address.bucket, Key: keyOf(s3, name) };
    await asking(s3, name, () => s3.client.send(new s3.sdk.DeleteObjectCommand(target)));
  }
}
