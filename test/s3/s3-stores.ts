/** Stores in buckets, as several hosts see them. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Blobs } from '../../src/store/blobs.ts';
import { s3Blobs } from '../../src/store/blobs-s3.ts';
import { type OpenS3, openS3, type S3Patience } from '../../src/store/s3/client.ts';
import { temporaryFolder } from '../store/temporary-folder.ts';

/** Pauses of milliseconds; tests that wait for no answer set how long. */
export const hasty: S3Patience = {
  tries: 6,
  firstTries: 3,
  pauseMs: 10,
  longestPauseMs: 100,
  connectMs: 30_000,
  answerMs: 30_000,
};

export type Host = { readonly blobs: Blobs; readonly open: OpenS3; readonly folder: string };

/** Has this process find the server at `url`, with these keys, from now on. */
export function serverAt(url: string, environment: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, environment, { AWS_ENDPOINT_URL_S3: url });
}

/** A host with a client and a cache of its own. The server's address is read at its first request. */
export function hostOf(
  bucket: string,
  {
    prefix = 'stores/one/',
    patience = hasty,
    cacheGb = 10,
  }: Partial<{ prefix: string; patience: S3Patience; cacheGb: number }> = {},
): Host {
  const address = { bucket, prefix };
  const open = openS3(address, patience);
  const folder = mkdtempSync(join(temporaryFolder(), 'host-'));
  return { blobs: s3Blobs(address, open, join(folder, 'cache'), cacheGb), open, folder };
}
