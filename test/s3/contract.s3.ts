/** The contracts of stores and of claims on a real S3 server. */
import { afterAll, describe, expect, it } from 'vitest';
import { blobsContract } from '../store/blobs.contract.ts';
import { claimContract } from '../store/claim.contract.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { keys } from './keys.ts';
import { startS3 } from './real-s3.ts';
import { hostOf as hostIn, serverAt } from './s3-stores.ts';

const server = await startS3();
serverAt(server.url, keys);
afterAll(() => server[Symbol.asyncDispose]());
const scratch = temporaryFolder();
const hostOf = (bucket: string, prefix = 'stores/one/') => hostIn(bucket, { prefix });

blobsContract('a bucket', () => {
  const bucket = server.bucket();
  return { hosts: [hostOf(bucket).blobs, hostOf(bucket).blobs], scratch };
});

claimContract('a bucket', 0, () => {
  const bucket = server.bucket();
  return [hostOf(bucket).blobs, hostOf(bucket).blobs, hostOf(bucket).blobs];
});

describe('a store in a bucket', () => {
  it('keeps what is larger than one request, once too', async () => {
    const bucket = server.bucket();
    const [a, b] = [hostOf(bucket).blobs, hostOf(bucket).blobs];
    const many = function* (last: number) {
      for (let piece = 0; piece < 30; piece++) yield Buffer.alloc(1_000_000, piece);
      yield Buffer.from([last]);
    };
    const outcomes = await Promise.all(
      [0, 1, 2, 3].map((last) => (last % 2 ? a : b).putOnce('big', many(last))),
    );
    expect(outcomes.toSorted()).toEqual(['made', 'other', 'other', 'other']);
    expect(await a.putOnce('big', many(outcomes.indexOf('made')))).toBe('same');
    expect(await a.size('big')).toBe(30_000_001);
    let commits = 0;
    await a.replace('big', many(9), async () => {
      commits += 1;
      expect((await b.get('big', { start: 30_000_000, bytes: 1 }))![0]).toBe(outcomes.indexOf('made'));
    });
    expect(commits).toBe(1);
    expect((await b.get('big', { start: 30_000_000, bytes: 1 }))![0]).toBe(9);
    expect(await a.move('big', 'aside/big')).toBe(true);
    expect(await b.size('aside/big')).toBe(30_000_001);
  });

  it('lists more names than fit into one answer, in order', async () => {
    const { blobs } = hostOf(server.bucket(), '');
    const names = Array.from({ length: 2_100 }, (_, n) => `many/${String(n).padStart(4, '0')}`);
    for (let from = 0; from < names.length; from += 100)
      await Promise.all(names.slice(from, from + 100).map((name) => blobs.putOnce(name, Buffer.from('x'))));
    expect(await blobs.list('')).toEqual(names);
    expect(await blobs.folders()).toEqual(['many']);
    await blobs.remove('many');
    expect(await blobs.list('')).toEqual([]);
  });
});
