/** `colloquy prune` of a store in a bucket of a real server, also as the command. */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/config/installation.ts';
import { pruneContract } from '../store/prune.contract.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';
import { keys } from './keys.ts';
import { type RealS3, startS3 } from './real-s3.ts';
import { hostOf, serverAt } from './s3-stores.ts';

let server: RealS3;
beforeAll(async () => {
  server = await startS3();
  serverAt(server.url, keys);
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** To this server, the time of an object is that of its file. */
function age(bucket: string): void {
  const folder = join(server.folder, bucket);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const at = statSync(path).mtimeMs / 1000 - 10 * 86_400;
    utimesSync(path, at, at);
  }
}

pruneContract('a bucket of versitygw', () => {
  const bucket = server.bucket();
  return { hosts: [hostOf(bucket).blobs, hostOf(bucket).blobs], age: () => age(bucket) };
});

describe('the command', () => {
  const prune = (bucket: string, args: readonly string[], environment: object = keys) =>
    execFileSync(process.execPath, [join(projectRoot, 'bin', 'colloquy.mjs'), 'prune', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        ...environment,
        AWS_ENDPOINT_URL_S3: server.url,
        COLLOQUY_STORE: `s3://${bucket}/stores/one`,
        COLLOQUY_LOCAL: temporaryFolder(),
      },
    });

  it('shows what is unneeded, removes it when it is told to, and says what is wrong with the keys', async () => {
    const bucket = server.bucket();
    const { blobs } = hostOf(bucket);
    await blobs.replace('answers/old/0/i0-train-s000.journal/1-a-00001', Buffer.from('x'));
    await blobs.replace('demo/config.json', Buffer.from('{}'));
    age(bucket);
    expect(prune(bucket, [])).toContain('answers/old');
    expect(await blobs.list('answers/')).toHaveLength(1);
    expect(prune(bucket, ['--remove'])).toMatch(/1 thing, .*, removed/);
    expect(await blobs.list('')).toEqual(['demo/config.json']);
    const wrong = { ...keys, AWS_SECRET_ACCESS_KEY: 'another' };
    expect(() => prune(bucket, ['--remove'], wrong)).toThrow(/S3Refused|refuses/);
    expect(() => prune('no-such-bucket', [])).toThrow(/no-such-bucket/);
  });
});
