/** A store in a bucket, on as much of an S3 server as it needs. `npm run test:s3` does this on a real one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { s3AddressOf } from '../../src/store/s3/client.ts';
import { tryBucket } from '../../src/store/s3/canary.ts';
import { InvalidS3Address, InvalidS3Setting, S3StoreUnsafe } from '../../src/store/s3/errors.ts';
import { OtherStore } from '../../src/store/errors.ts';
import { findModel, modelOutput, storeModel } from '../../src/store/models.ts';
import { requireSameStore } from '../../src/activities/activity.ts';
import { newestFinished } from '../../src/store/records/result.ts';
import { openStore, storeIdentity } from '../../src/store/store.ts';
import { projectRoot } from '../../src/config/installation.ts';
import { writeModel } from '../export/exportable-experiment.ts';
import { keys } from '../s3/keys.ts';
import { hostOf, serverAt } from '../s3/s3-stores.ts';
import { trapContract } from '../s3/traps.contract.ts';
import { type SmallS3, startSmallS3 } from '../support/small-s3.ts';
import { blobsContract } from './blobs.contract.ts';
import { claimContract } from './claim.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

let buckets = 0;
const bucket = () => `bucket-${(buckets += 1)}`;

describe('an honest server', () => {
  let server: SmallS3;
  beforeAll(async () => {
    server = await startSmallS3();
    serverAt(server.url, keys);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const scratch = temporaryFolder();
  blobsContract('a bucket', () => {
    const name = bucket();
    return { hosts: [hostOf(name).blobs, hostOf(name).blobs], scratch };
  });
  claimContract('a bucket', 0, () => {
    const name = bucket();
    return [hostOf(name).blobs, hostOf(name).blobs, hostOf(name).blobs];
  });

  it('has a bucket that can be a store, and nothing is left of the trial', async () => {
    const { open, blobs } = hostOf(bucket());
    await tryBucket(open);
    expect(await blobs.list('')).toEqual([]);
  });

  it('has an id, and a worker with another bucket refuses the step', async () => {
    vi.stubEnv('COLLOQUY_LOCAL', temporaryFolder());
    const address = `s3://${bucket()}/a`;
    const [mine, theirs] = [openStore(address), openStore(`s3://${bucket()}/a`)];
    const begunIn = { ...(await storeIdentity(mine)), host: 'elsewhere' };
    expect(begunIn.path).toBe(`${address} at ${server.url}`);
    await requireSameStore(begunIn, openStore(address));
    await expect(requireSameStore(begunIn, theirs)).rejects.toThrow(OtherStore);
    vi.unstubAllEnvs();
  });

  it('keeps the files of a host in a folder of its own, and finds what finished last by the server’s clock', async () => {
    const local = temporaryFolder();
    vi.stubEnv('COLLOQUY_LOCAL', local);
    const store = openStore(`s3://${bucket()}`);
    expect(store.local).toBe(local);
    expect(store.journal('mine/iteration-1/debates/shard-000')).toMatchObject({
      path: join(local, 'mine/iteration-1/debates/shard-000.journal.jsonl'),
      segments: { name: 'mine/iteration-1/debates/shard-000.journal' },
    });
    await store.blobs.putOnce('mine/result.json', Buffer.from('{}'));
    expect(await newestFinished(store)).toBe('mine');
    vi.stubEnv('COLLOQUY_CACHE_GB', 'much');
    expect(() => openStore('s3://a-bucket')).toThrow(InvalidS3Setting);
    vi.unstubAllEnvs();
  });

  it('has one whole model, where a lost host had uploaded half of another one', async () => {
    const [lost, next] = [hostOf(bucket()), temporaryFolder()];
    const key = 'b'.repeat(64);
    const store = openStore(next, lost.blobs);
    await lost.blobs.putOnce(`models/${key}/adapter_model.safetensors`, Buffer.from('of the lost host'));
    expect(await findModel(store, key)).toBeNull();
    writeModel(openStore(next), key, 'weights');
    await storeModel(store, key);
    expect(await findModel(store, key, () => expect.unreachable('it is whole'))).not.toBeNull();
    expect(String(await lost.blobs.get(`models/${key}/adapter_model.safetensors`))).toBe('weights');
    // What is in the store is not kept twice.
    expect(existsSync(modelOutput(store, key))).toBe(false);
    // Another host made the same at the same time, and was slower: its bytes are not mixed in.
    writeModel(openStore(next), key, 'of the slower host');
    await storeModel(store, key);
    expect(await findModel(store, key, () => expect.unreachable('it is whole'))).not.toBeNull();
  });

  it('has the unfinished uploads of killed writers removed after a day', async () => {
    const { open, blobs } = hostOf(bucket());
    const { client, sdk, address } = await open();
    const target = { Bucket: address.bucket, Key: `${address.prefix}models/m/weights` };
    await client.send(new sdk.CreateMultipartUploadCommand(target));
    const unfinished = async () =>
      (await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: target.Bucket }))).Uploads?.length ??
      0;
    expect(await unfinished()).toBe(1);
    await blobs.tidy('small');
    expect(await unfinished()).toBe(0);
  });

  it('is refused with what is wrong: a missing bucket', async () => {
    await expect(tryBucket(hostOf('missing-bucket').open)).rejects.toThrow(/NoSuchBucket.*Make the bucket/);
  });
});

trapContract('a small server', async () => ({ ...(await startSmallS3()), bucket }), false);

describe('a server that looks whether a name is taken, and writes a moment later,', () => {
  it('cannot have a store', async () => {
    const server = await startSmallS3({ honest: false });
    serverAt(server.url, keys);
    await expect(tryBucket(hostOf(bucket()).open)).rejects.toThrow(S3StoreUnsafe);
    await server[Symbol.asyncDispose]();
  });
});

describe('the address of a store', () => {
  it.each([
    ['/data/runs', null],
    ['runs', null],
    ['s3://my-bucket', { bucket: 'my-bucket', prefix: '' }],
    ['s3://my.bucket/', { bucket: 'my.bucket', prefix: '' }],
    ['s3://my-bucket/a/b', { bucket: 'my-bucket', prefix: 'a/b/' }],
    ['s3://my-bucket/a/b/', { bucket: 'my-bucket', prefix: 'a/b/' }],
  ])('%j is %j', (given, address) => expect(s3AddressOf(given)).toEqual(address));

  it.each([
    's3:/bucket',
    's3://',
    's3://B',
    's3://key:secret@bucket/a',
    's3://bucket//a',
    's3://bucket/a/../b',
    's3://bucket/./a',
  ])('is not %j: two addresses must not mean one store', (given) => {
    expect(() => s3AddressOf(given)).toThrow(InvalidS3Address);
    expect(() => s3AddressOf(given)).not.toThrow(/secret/);
  });
});

it('only a store in a bucket loads the SDK, which takes a third of a second', () => {
  const source = join(projectRoot, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const loading = files.filter((file) =>
    /^import (?!type\b)[^;]*'@aws-sdk\//m.test(readFileSync(join(source, file), 'utf8')),
  );
  expect(loading).toEqual([]);
});
