import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileBlobs } from '../../src/store/blobs-file.ts';
import { laggingHosts } from '../support/lagging-blobs.ts';
import { memoryBlobs } from '../support/memory-blobs.ts';
import { claimContract } from './claim.contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();
const scratch = () => mkdtempSync(join(folder, 's'));

claimContract('a local disk', 0, () => {
  const root = scratch();
  return [fileBlobs(root), fileBlobs(root), fileBlobs(root)];
});

claimContract('memory', 0, () => {
  const kept = new Map<string, Buffer>();
  return [memoryBlobs(folder, kept), memoryBlobs(folder, kept), memoryBlobs(folder, kept)];
});

for (const delay of [1, 3, 10, 50])
  claimContract(`a folder on which others' changes appear ${delay} operations late`, delay, () => {
    const [a, b, c] = laggingHosts(3, delay, folder);
    return [a!, b!, c!];
  });
