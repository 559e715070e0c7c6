/** What networks, busy servers and the SDK do to a store in a bucket: one test for each trap. Any S3 server runs it. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ArtifactMissing } from '../../src/store/errors.ts';
import { openStepJournal } from '../../src/store/files/take-over.ts';
import { placeIn } from '../../src/store/blobs.ts';
import { S3Refused, S3Unreachable } from '../../src/store/s3/errors.ts';
import { errorOf } from '../support/error-of.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { hasty, type Host, hostOf, serverAt } from './s3-stores.ts';
import { keys } from './keys.ts';

/** Of this process. */
const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));

/**
 * @param open starts the server; each test has a bucket of its own
 * @param withBig false: without the tests of uploads in parts, which take seconds
 */
export function trapContract(
  kind: string,
  open: () => Promise<AsyncDisposable & { readonly url: string; readonly bucket: () => string }>,
  withBig = true,
): void {
  describe(`a store in a bucket of ${kind}, behind a network with faults,`, { timeout: 120_000 }, () => {
    let server: Awaited<ReturnType<typeof open>>;
    let proxy: FaultProxy;
    beforeAll(async () => {
      server = await open();
      proxy = await startFaultProxy(server.url);
      serverAt(proxy.url, keys);
    });
    afterAll(async () => {
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    });
    const host = (changes = {}) => {
      proxy.strike();
      proxy.cut(false);
      return hostOf(server.bucket(), { patience: { ...hasty, ...changes } });
    };
    const big = Buffer.alloc(9_000_000, 'big ');

    it('counts a name as its own when the answer to its write was lost, and as another’s when it was', async () => {
      const { blobs } = host();
      proxy.strike({ method: 'PUT', what: 'lost', times: 1 });
      expect(await blobs.putOnce('a', Buffer.from('mine'))).toBe('same');
      expect(proxy.seen().filter((each) => each.startsWith('PUT'))).toHaveLength(2);
      expect(await blobs.putOnce('a', Buffer.from('another'))).toBe('other');
    });

    it.runIf(withBig)('does so with an upload in parts, and with each of its requests', async () => {
      const { blobs } = host();
      for (const [index, path] of [/\?uploads/, /partNumber=2/, /\?uploadId=/].entries()) {
        proxy.strike({ path, what: 'lost', times: 1 });
        expect(['made', 'same']).toContain(await blobs.putOnce(`big-${index}`, [big]));
        expect(await blobs.size(`big-${index}`)).toBe(big.length);
      }
    });

    it('writes again where two conditional writes met (409), which the SDK does not', async () => {
      const { blobs } = host();
      proxy.strike({ method: 'PUT', what: 'conflict', times: 2 });
      expect(await blobs.putOnce('a', Buffer.from('x'))).toBe('made');
      expect(proxy.seen()).toHaveLength(3);
    });

    it('asks again after failures and resets, also after dozens of them: the SDK’s budget would be empty', async () => {
      const { blobs } = host({ longestPauseMs: 1, pauseMs: 1, tries: 3 });
      await blobs.putOnce('a', Buffer.from('x'));
      proxy.strike({ what: 'internal error' });
      for (let call = 0; call < 30; call++) await expect(blobs.size('a')).rejects.toThrow(S3Unreachable);
      expect(proxy.seen()).toHaveLength(30 * 3);
      proxy.strike({ what: 'slow down', times: 1 }, { what: 'reset', times: 1 });
      expect(await blobs.size('a')).toBe(1);
    });

    it('does not wait for an answer that never comes: without throwOnRequestTimeout the SDK only prints a warning', async () => {
      const { blobs } = host({ answerMs: 300, tries: 2 });
      await blobs.putOnce('a', Buffer.from('x'));
      proxy.strike({ what: 'hang', times: 1 });
      expect(String(await blobs.get('a'))).toBe('x');
      proxy.strike({ what: 'hang' });
      await expect(blobs.get('a')).rejects.toThrow(/does not answer as it should \(\w*TIME\w*\)/i);
    });

    it.runIf(withBig)(
      'reads on where an answer breaks off or stands still after it has begun, which the SDK does not notice',
      async () => {
        const { blobs } = host({ answerMs: 3_000 });
        await blobs.putOnce('a', [big]);
        for (const what of [{ cutAfter: 2_000_000 }, { stallAfter: 2_000_000 }]) {
          proxy.strike({ method: 'GET', path: /\/a(\?|$)/, what, times: 2 });
          expect((await blobs.get('a'))!.equals(big)).toBe(true);
          expect(proxy.seen().filter((each) => each.startsWith('GET')).length).toBeGreaterThanOrEqual(3);
        }
      },
    );

    it.runIf(withBig)('does not join two versions of an object into one', async () => {
      const { blobs } = host();
      await blobs.putOnce('a', [big]);
      proxy.strike({ method: 'GET', what: { cutAfter: 2_000_000 }, times: 1 });
      const read = blobs.stream('a')[Symbol.asyncIterator]();
      await read.next();
      await blobs.replace('a', [Buffer.alloc(9_000_000, 'new ')]);
      const all = async () => {
        while (!(await read.next()).done) continue;
      };
      await expect(all()).rejects.toThrow('it was replaced while it was read');
    });

    it('asks once for what is missing or taken where the clock is minutes off: the SDK would blame the clock, and ask again', async () => {
      const { blobs } = host();
      expect(await blobs.putOnce('a', Buffer.from('x'))).toBe('made');
      const right = Date.now.bind(Date);
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => right() + 600_000);
      try {
        // The first answer tells the SDK.
        await blobs.get('a');
        proxy.strike();
        expect(await blobs.get('missing')).toBeNull();
        expect(await blobs.size('missing')).toBeNull();
        expect(await blobs.putOnce('a', Buffer.from('x'))).toBe('same');
        const seen = proxy.seen().map((each) => each.split(' ')[0]);
        expect(seen.filter((method) => method === 'PUT')).toHaveLength(1);
        expect(seen.length).toBeLessThanOrEqual(5);
      } finally {
        clock.mockRestore();
      }
    });

    it('leaves no answer unread: fifty of them would stop the client without a word', async () => {
      const { blobs } = host();
      await blobs.putOnce('a', [big.subarray(0, 600_000)]);
      for (let reader = 0; reader < 60; reader++) for await (const _ of blobs.stream('a')) break;
      expect(await blobs.size('a')).toBe(600_000);
    });

    it('rides out a cut network, and says so when it stays away', async () => {
      const { blobs } = host({ tries: 8, pauseMs: 20 });
      await blobs.putOnce('a', Buffer.from('x'));
      proxy.cut(true);
      setTimeout(() => proxy.cut(false), 100);
      expect(await blobs.size('a')).toBe(1);
      proxy.cut(true);
      await expect(blobs.list('')).rejects.toThrow(S3Unreachable);
      await expect(blobs.putOnce('b', Buffer.from('x'))).rejects.toThrow(S3Unreachable);
      proxy.cut(false);
      expect(await blobs.list('')).toEqual(['a']);
    });

    it.runIf(withBig)('leaves nothing of an upload in parts that fails, and the old bytes', async () => {
      const { blobs } = host();
      await blobs.putOnce('a', Buffer.from('old'));
      proxy.strike({ path: /partNumber=2/, what: 'internal error' });
      await expect(blobs.replace('a', [big])).rejects.toThrow(S3Unreachable);
      proxy.strike();
      expect(String(await blobs.get('a'))).toBe('old');
      expect(await blobs.list('')).toEqual(['a']);
    });

    it('has no secret in its errors, nor the request that the SDK signed', async () => {
      const { blobs } = host();
      await blobs.putOnce('a', Buffer.from('x'));
      const failures: Error[] = [];
      proxy.strike({ what: 'internal error' });
      failures.push(await errorOf(blobs.get('a')));
      proxy.strike();
      serverAt(proxy.url, {
        ...keys,
        AWS_SECRET_ACCESS_KEY: 'another-secret',
        AWS_SESSION_TOKEN: 'the-token',
      });
      failures.push(await errorOf(hostOf('missing-bucket').blobs.get('a')));
      serverAt(proxy.url, keys);
      for (const failure of failures) {
        expect(failure instanceof S3Refused || failure instanceof S3Unreachable).toBe(true);
        const all = JSON.stringify(failure, Object.getOwnPropertyNames(failure));
        expect(all).not.toMatch(/secret|the-token|Authorization|Signature=|colloquy-tests/);
        expect(failure.cause).toBeUndefined();
      }
    });

    it('keeps the answers of a journal for other hosts: what a lost host had not uploaded is all that it costs', async () => {
      const bucket = server.bucket();
      const [first, second] = [hostOf(bucket), hostOf(bucket)];
      const place = ({ blobs, folder }: Host) => ({
        path: join(folder, 'shard.journal.jsonl'),
        segments: placeIn(blobs, 'shard.journal'),
      });
      const journal = await openStepJournal(place(first), 1);
      journal.append('one', 1);
      await journal.flush();
      // The server does not answer: what is appended now stays here until it does.
      proxy.strike({ method: 'PUT', what: 'internal error' });
      journal.append('two', 2);
      await expect(journal.flush()).rejects.toThrow(S3Unreachable);
      proxy.strike();
      const successor = await openStepJournal(place(second), 2);
      expect([successor.get('one'), successor.get('two')]).toEqual([1, undefined]);
      successor.append('three', 3);
      await successor.close();
      await journal.close();
      const later = await openStepJournal(place(hostOf(bucket)), 3);
      expect(['one', 'two', 'three'].map((key) => later.get(key))).toEqual([1, 2, 3]);
      await later.close();
      expect(
        (await first.blobs.list('shard.journal/')).map((name) => name.slice('shard.journal/'.length)[0]),
      ).toEqual(['1', '1', '2']);
    });

    it('uploads what a host had journalled and not uploaded when it was killed, as soon as it is back', async () => {
      const bucket = server.bucket();
      const killed = hostOf(bucket);
      const place = {
        path: join(killed.folder, 'j.journal.jsonl'),
        segments: placeIn(killed.blobs, 'j.journal'),
      };
      const before = await openStepJournal({ ...place, segments: null }, 1);
      before.append('answer', 'of the killed worker');
      await before.close();
      const again = await openStepJournal(place, 2);
      await again.close();
      const elsewhere = await openStepJournal({ ...place, path: join(hostOf(bucket).folder, 'j') }, 3);
      expect(elsewhere.get('answer')).toBe('of the killed worker');
      await elsewhere.close();
    });

    it.each(['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'])(
      'finds a server at a host name in %s: its buckets have no host names of their own',
      async (variable) => {
        const { AWS_ENDPOINT_URL_S3: before } = process.env;
        delete process.env['AWS_ENDPOINT_URL_S3'];
        process.env[variable] = proxy.url.replace('127.0.0.1', 'localhost');
        try {
          const { blobs } = host();
          expect(await blobs.putOnce('a', Buffer.from('x'))).toBe('made');
          expect(proxy.seen().some((each) => /^PUT \/[^/]+\/stores\/one\/a/.test(each))).toBe(true);
        } finally {
          serverAt(before ?? '', keys);
        }
      },
    );

    it('does not warn of versions of Node in each log', () => {
      expect(warnings.filter((each) => each.includes('NodeVersionSupportWarning'))).toEqual([]);
    });

    it('says what is missing where nothing was written', async () => {
      const { blobs } = host();
      await expect(blobs.localCopy('models/none')).rejects.toThrow(ArtifactMissing);
    });
  });
}
