/** Wrong settings: a worker does not begin with them, and says which. */
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { tryBucket } from '../../src/store/s3/canary.ts';
import { S3Unreachable } from '../../src/store/s3/errors.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { keys } from './keys.ts';
import { startS3 } from './real-s3.ts';
import { hostOf, serverAt } from './s3-stores.ts';

const server = await startS3();
afterAll(() => server[Symbol.asyncDispose]());
const bucket = server.bucket();
const tried = () => tryBucket(hostOf(bucket).open);

describe('a bucket of a real server', () => {
  afterEach(() => void vi.useRealTimers());

  it('is tried without leaving anything, by several workers at once too', async () => {
    serverAt(server.url, keys);
    await Promise.all([tried(), tried(), tried()]);
    expect(await hostOf(bucket).blobs.list('')).toEqual([]);
  });

  it.each([
    ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong' }, /SignatureDoesNotMatch.*Check the keys/],
    [
      'an unknown key',
      { AWS_ACCESS_KEY_ID: 'nobody' },
      /(InvalidAccessKeyId|XAdminUserNotFound).*Check the keys/,
    ],
    [
      'another region',
      { AWS_REGION: 'eu-west-3' },
      /AuthorizationHeaderMalformed.*another region: set AWS_REGION/,
    ],
    [
      'no keys',
      { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
      /CredentialsProviderError.*Check the keys/,
    ],
  ])('is refused with %s', async (_, wrong, message) => {
    serverAt(server.url, {
      ...keys,
      AWS_SHARED_CREDENTIALS_FILE: '/none',
      AWS_CONFIG_FILE: '/none',
      ...wrong,
    });
    await expect(tried()).rejects.toThrow(message);
    // Nor does a command take it for an empty store.
    await expect(hostOf(bucket).blobs.size('store.json')).rejects.toThrow(message);
    await expect(hostOf(bucket).blobs.get('store.json')).rejects.toThrow(message);
  });

  it('is refused when it does not exist', async () => {
    serverAt(server.url, keys);
    const { open, blobs } = hostOf('no-such-bucket');
    await expect(tryBucket(open)).rejects.toThrow(/NoSuchBucket.*Make the bucket/);
    await expect(blobs.size('store.json')).rejects.toThrow(/NoSuchBucket/);
    await expect(blobs.get('store.json')).rejects.toThrow(/NoSuchBucket/);
  });

  it('is refused without the right to write', async () => {
    const proxy = await startFaultProxy(server.url);
    serverAt(proxy.url, keys);
    proxy.strike({ method: 'PUT', what: 'denied' });
    await expect(tried()).rejects.toThrow(/AccessDenied.*s3:PutObject/);
    await proxy[Symbol.asyncDispose]();
  });

  it('is not there when nothing listens at the address', async () => {
    serverAt('http://127.0.0.1:9', keys);
    await expect(tried()).rejects.toThrow(S3Unreachable);
  });

  it.each([
    ['behind', -60],
    ['ahead of', 60],
  ])(
    'is refused by a machine whose clock is an hour %s the server’s, with how far it is off',
    async (words, minutes) => {
      serverAt(server.url, keys);
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
      await expect(tried()).rejects.toThrow(`The clock of this machine is 60 minutes ${words} the server's`);
    },
  );

  it('is used by a machine whose clock is 10 minutes off', async () => {
    serverAt(server.url, keys);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 });
    await tried();
  });
});
