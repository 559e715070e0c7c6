/** The store on NFS. The mounts are made by test/store/nfs/run.sh; without them this is skipped. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'vitest';
import type { Blobs } from '../../src/store/blobs.ts';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { blobsContract } from './blobs.contract.ts';
import { claimContract } from './claim.contract.ts';
import { nfsMounts, whyNoNfs } from './nfs/mounts.ts';
import { temporaryFolder } from './temporary-folder.ts';

let stores = 0;
const scratch = temporaryFolder();
function hosts(): [Blobs, Blobs, Blobs] {
  stores += 1;
  const name = `store-${process.pid}-${stores}`;
  mkdirSync(join(nfsMounts[0]!, name));
  return nfsMounts.map((mount) => fileBlobs(join(mount, name))) as [Blobs, Blobs, Blobs];
}

describe.skipIf(nfsMounts.length === 0)(`the store on NFS${whyNoNfs}`, () => {
  blobsContract('a folder on NFS', () => ({ hosts: hosts().slice(0, 2) as [Blobs, Blobs], scratch }));
  // The third host sees another one's claim when it fetches the attributes of the folder again.
  claimContract('a folder on NFS', 100_000, hosts);
});
